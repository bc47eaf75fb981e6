"""Networks of the Hub: a folder, a cache laid out here, a server on this machine; never the Hub."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

import bgm
from bgm.errors import BadInput
from bgm.export import provenance
from bgm.model import Sampling
from bgm.weights import read_weights, weights_file, write_safetensors
from bgm.weights.hub import check_card
from tests.networks import mobile

hub = pytest.importorskip("huggingface_hub")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NETWORK = {
    "_target_": "bgm.model.MattingRefine",
    "base": {
        "_target_": "bgm.model.MattingBase",
        "backbone": {"_target_": "bgm.model.mobilenetv2"},
    },
    "refiner": {"_target_": "bgm.model.PatchRefiner"},
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A network of ours as a file that states its licence."""
    net = mobile(Sampling())
    path = tmp_path_factory.mktemp("net") / "mine.safetensors"
    write_safetensors(path, net.state_dict(), NETWORK, {"licence": "CC-BY-4.0"})
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The Hub's cache in a folder of its own, offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def lay_out(cache, file, revision="main", name="model.safetensors"):
    """A repository in the cache, as the Hub's client leaves it."""
    repository = cache / "models--owner--mine"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / revision).write_text(COMMIT)
    (snapshot / name).write_bytes(Path(file).read_bytes())


def same(net, path):
    state = read_weights(path).state
    return all(
        torch.equal(value.float(), state[n].float()) for n, value in net.state_dict().items()
    )


def test_a_folder_and_back(checkpoint, tmp_path):
    folder = bgm.save_pretrained(checkpoint, tmp_path / "out")
    assert sorted(x.name for x in folder.iterdir()) == ["README.md", "model.safetensors"]
    net = bgm.from_pretrained(folder)
    assert not net.training
    assert same(net, checkpoint)
    data = hub.ModelCard.load(folder / "README.md").data
    assert (data.license, data.library_name) == ("cc-by-4.0", "bgm")
    assert {"background-matting", "image-matting"} <= set(data.tags)
    assert "network.base.backbone: mobilenetv2" in (folder / "README.md").read_text()


def test_a_training_checkpoint_leaves_its_folders_behind(checkpoint, tmp_path):
    stored = read_weights(checkpoint)
    state = {f"network.{name}": value for name, value in stored.state.items()}
    hyper = {"network": NETWORK}
    card = {"config": {"data_root": "/home/someone/pictures"}}
    content = {"state_dict": state, "hyper_parameters": hyper, "bgm_card": card}
    torch.save(content, tmp_path / "last.ckpt")
    with pytest.raises(BadInput, match=r"last\.ckpt states no licence: expected one"):
        bgm.save_pretrained(tmp_path / "last.ckpt", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    folder = bgm.save_pretrained(tmp_path / "last.ckpt", tmp_path / "out", licence="MIT")
    assert b"someone" not in (folder / "model.safetensors").read_bytes()
    assert same(bgm.from_pretrained(folder), checkpoint)
    assert "license: mit" in (folder / "README.md").read_text()


def test_the_shipped_network_has_its_own_card(tmp_path):
    folder = bgm.save_pretrained("mobilenetv2", tmp_path / "out", hub_name="owner/mine")
    text = (folder / "README.md").read_text()
    assert "## Not for" in text
    assert "](../" not in text  # links to files that are not on the Hub
    assert 'bgm.load("hf:owner/mine")' in text
    assert same(bgm.from_pretrained(folder), weights_file("mobilenetv2"))


def test_a_folder_that_holds_files_is_left_alone(checkpoint, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="expected a new or an empty folder"):
        bgm.save_pretrained(checkpoint, tmp_path)
    assert [x.name for x in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["hf:owner/mine", "hf:owner/mine@main", f"hf:owner/mine@{COMMIT}"])
def test_a_name_in_the_local_cache(checkpoint, cache, name):
    lay_out(cache, checkpoint)
    assert same(bgm.load(name), checkpoint)
    assert provenance(name)["checkpoint"] == "model.safetensors"


def test_from_pretrained_takes_names_and_revisions(checkpoint, cache):
    lay_out(cache, checkpoint, revision="v2")
    assert same(bgm.from_pretrained("owner/mine", revision="v2"), checkpoint)
    with pytest.raises(BadInput, match="hf:owner/mine is not in the local cache and HF_HUB_OFF"):
        bgm.from_pretrained("owner/mine")


def test_only_safetensors_are_loaded(checkpoint, cache):
    """A pickle in the cache is not opened, whatever it is called."""
    lay_out(cache, checkpoint, name="pytorch_model.bin")
    with pytest.raises(BadInput, match="not in the local cache"):
        bgm.load("hf:owner/mine")


STRANGE = ["-a/b", "a/b.", "a/b--c", "a/b.git", "../..", "a/" + "b" * 97]  # to the client as well


@pytest.mark.parametrize(
    "name",
    ["hf:mine", "hf:owner/mine/more", "hf:", "hf:owner/m ine", *(f"hf:{x}" for x in STRANGE)],
)
def test_no_name_on_the_hub(name):
    with pytest.raises(BadInput, match=r"hf:.* is no name on the Hub, expected hf:owner/name"):
        bgm.load(name)


def test_a_file_of_that_name_comes_first(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hf:owner").mkdir()
    (tmp_path / "hf:owner" / "mine.safetensors").write_bytes(checkpoint.read_bytes())
    assert same(bgm.load("hf:owner/mine.safetensors"), checkpoint)


def test_without_the_client_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(BadInput, match=r"pip install 'bgm-matting\[hub\]'"):
        bgm.load("hf:owner/mine")


CARDS = {
    "no front matter": ("# A network\n", "states no licence"),
    "no licence": ("---\nlibrary_name: bgm\n---\n# A network\n", "states no licence"),
    "not stated": ("---\nlicense: not stated\n---\n", "states no licence"),
    "broken": ("---\nlicense: [mit\n---\n", "front matter"),
}


@pytest.mark.parametrize(("text", "message"), CARDS.values(), ids=CARDS)
def test_a_card_without_a_licence_is_not_pushed(checkpoint, tmp_path, monkeypatch, text, message):
    folder = bgm.save_pretrained(checkpoint, tmp_path / "out")
    (folder / "README.md").write_text(text)
    monkeypatch.setattr(hub.HfApi, "create_repo", lambda *_, **__: pytest.fail("it was sent"))
    with pytest.raises(BadInput, match=message):
        bgm.push_to_hub(folder, "owner/mine")
    (folder / "README.md").unlink()
    with pytest.raises(BadInput, match="given away with its model card"):
        check_card(folder / "README.md")


def test_push(checkpoint, tmp_path, monkeypatch):
    """What is sent: the network and its card, no pickle that happens to lie there."""
    sent = {}

    class Commit:
        commit_url = "https://hub/owner/mine/commit/1"

    def upload(self, *, repo_id, folder_path, allow_patterns, **rest):
        names = [x.name for x in Path(folder_path).iterdir()]
        sent[repo_id] = sorted(hub.utils.filter_repo_objects(names, allow_patterns=allow_patterns))
        sent["card"] = (Path(folder_path) / "README.md").read_text()
        return Commit()

    monkeypatch.setattr(hub.HfApi, "create_repo", lambda *_, **__: None)
    monkeypatch.setattr(hub.HfApi, "upload_folder", upload)
    folder = bgm.save_pretrained(checkpoint, tmp_path / "out")
    (folder / "optimizer.ckpt").write_bytes(b"pickle")
    assert bgm.push_to_hub(folder, "owner/mine") == Commit.commit_url
    assert sent["owner/mine"] == ["README.md", "model.safetensors"]
    bgm.push_to_hub(checkpoint, "owner/other")
    assert sent["owner/other"] == ["README.md", "model.safetensors"]
    assert 'bgm.load("hf:owner/other")' in sent["card"]


def test_card_and_file_state_one_licence(checkpoint, tmp_path):
    first = bgm.save_pretrained(checkpoint, tmp_path / "a")
    second = bgm.save_pretrained(first / "model.safetensors", tmp_path / "b", licence="cc0-1.0")
    assert "license: cc0-1.0" in (second / "README.md").read_text()
    assert read_weights(second / "model.safetensors").about["licence"] == "cc0-1.0"
    with pytest.raises(BadInput, match="states no licence"):
        bgm.save_pretrained(checkpoint, tmp_path / "c", licence="mit\nevil: true")
    with pytest.raises(BadInput, match=r"licence and text are for a checkpoint, .* has its own"):
        bgm.push_to_hub(first, "owner/mine", licence="mit")


def test_push_that_cannot_be(checkpoint, tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="mine is no name on the Hub"):
        bgm.push_to_hub(checkpoint, "mine")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"has no model\.safetensors"):
        bgm.push_to_hub(tmp_path / "empty", "owner/mine")

    def refuse(*_, **__):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(hub.HfApi, "create_repo", refuse)
    with pytest.raises(BadInput, match=r"hf:owner/mine could not be written \(no route to host\)"):
        bgm.push_to_hub(checkpoint, "owner/mine")


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as answers for one file of owner/mine; other names are not there."""

    file = b""

    def do_HEAD(self):
        known = self.path == "/owner/mine/resolve/main/model.safetensors"
        lacks = self.path.startswith("/owner/mine/resolve/main/")
        self.send_response(200 if known else 404)
        if known:
            self.send_header("ETag", f'"{hashlib.sha256(self.file).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
        else:
            code = "EntryNotFound" if lacks else "RevisionNotFound"
            other = "RepoNotFound" if not self.path.startswith("/owner/mine/") else code
            self.send_header("X-Error-Code", other)
        self.send_header("Content-Length", str(len(self.file) if known else 0))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        if self.path.endswith("model.safetensors"):
            self.wfile.write(self.file)

    def log_message(self, *_):
        pass


VISIT = """
import json, sys
import bgm
import bgm.weights
assert "huggingface_hub" not in sys.modules, "import bgm brought the Hub's client"
said = {}
for name in sys.argv[1:]:
    try:
        said[name] = type(bgm.load(name)).__name__
    except bgm.errors.BadInput as error:
        said[name] = str(error)
print(json.dumps(said))
"""


def visit(home, *names, **environment):
    """What `bgm.load` says of names in a process of its own, with the Hub's own variables."""
    env = os.environ | {"HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"} | environment
    command = [sys.executable, "-W", "ignore", "-c", VISIT, *names]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_from_a_server_to_the_cache_and_offline_after_it(checkpoint, cache, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Hub.file = checkpoint.read_bytes()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        names = ["hf:owner/mine", "hf:owner/other", "hf:owner/mine@v9"]
        said = visit(tmp_path, *names, HF_ENDPOINT=address)
    finally:
        server.shutdown()
        server.server_close()
    assert said["hf:owner/mine"] == "MattingRefine"
    assert "hf:owner/other is not on the Hub, or private" in said["hf:owner/other"]
    assert "has no revision v9" in said["hf:owner/mine@v9"]
    # The server is gone: what the cache holds still loads, and what it lacks is one sentence.
    assert same(bgm.load("hf:owner/mine"), checkpoint)
    with pytest.raises(BadInput, match="HF_HUB_OFFLINE is set"):
        bgm.load("hf:owner/other")
