"""Networks on the Hugging Face Hub: safetensors and a model card, from there and to there."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

import bgm
from bgm.errors import BadInput, first_line
from bgm.files import atomic_folder
from bgm.weights.build import load, network_of
from bgm.weights.formats import read_weights, write_safetensors
from bgm.weights.named_files import HUB, MODEL_FILE, check_name, require_hub, weights_file

CARD = "README.md"
TAGS = ["background-matting", "image-matting", "alpha-matting", "video-matting", "bgm"]
NOT_STATED = "not stated"
LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
NO_TEXT = "Background matting: alpha and foreground from a shot and a picture of the empty place."
RELATIVE = re.compile(r"!?\[([^\]]*)\]\((?!https?:)[^)]*\)")  # links to files that stay behind
PAGE = """{text}

## Use it
```python
import bgm
from PIL import Image

net = bgm.load("hf:{hub_name}")
mattes = bgm.matte(net, Image.open("shot.jpg"), Image.open("plate.jpg"))
mattes.com.save("cutout.png")
```
`pip install "bgm-matting[hub]"`. The plate is the same place without the subject.

## Facts
{facts}
"""


def model_card(
    ckpt: str | Path,
    licence: str | None = None,
    text: str | None = None,
    hub_name: str = "OWNER/NAME",
) -> str:
    """The card of a checkpoint's network, Markdown with YAML before it.

    hub_name: where the network will be, for the lines that say how to use it. Raises BadInput when
    neither licence nor the checkpoint says under which licence it is.
    """
    hub = require_hub()
    stored, file = read_weights(ckpt), weights_file(ckpt)
    own = file.with_suffix(".md")
    if text is None:
        text = own.read_text(encoding="utf-8") if own.is_file() else f"# {file.stem}\n{NO_TEXT}"
        text = RELATIVE.sub(r"\1", text)
    data = hub.ModelCardData(
        license=stated(licence or stored.about.get("licence"), f"the model card of {ckpt}"),
        library_name="bgm",
        pipeline_tag="image-segmentation",
        tags=TAGS,
    )
    parameters = sum(x.numel() for x in stored.state.values() if x.is_floating_point())
    facts = [f"- {parameters / 1e6:.1f} million numbers in `model.safetensors`, from {file.name}"]
    facts += [f"- {name}: {value}" for name, value in plain(network_of(ckpt), "network.").items()]
    page = PAGE.format(hub_name=hub_name, text=text.strip(), facts="\n".join(facts))
    return f"---\n{data.to_yaml()}\n---\n\n{page}"


def check_card(path: Path) -> None:
    """Raise BadInput unless there is a card at path, and it states a licence."""
    if not path.is_file():
        raise BadInput(f"{path} does not exist: a network is given away with its model card")
    hub, yaml = require_hub(), import_module("yaml")  # what the client itself reads cards with
    try:
        data = hub.ModelCard.load(path).data
    except (ValueError, TypeError, yaml.YAMLError) as error:  # tags that are no list
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path} has no front matter that is YAML ({reason})") from None
    stated(data.license, str(path))


def stated(licence: object, where: str) -> str:
    """A licence as the Hub spells it; BadInput where there is none."""
    given = licence.strip().lower() if isinstance(licence, str) else ""
    if given in ("", NOT_STATED, "none") or not LICENCE.fullmatch(given):
        raise BadInput(
            f'{where} states no licence: expected one such as licence="mit" '
            "(huggingface.co/docs/hub/repositories-licenses has the words)"
        )
    return given


def plain(network: Mapping, prefix: str) -> dict[str, str]:
    """A nested config as dotted names and values, classes by their own names."""
    out: dict[str, str] = {}
    for key, value in network.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            out |= plain(value, f"{name}.")
        else:
            out[name.removesuffix("._target_")] = str(value).removeprefix("bgm.model.")
    return out


PUSHED = ["*.safetensors", "*.md", "*.png", "*.jpg", "LICENSE*"]  # never a pickle


def from_pretrained(name: str | Path, revision: str | None = None, **options: Any) -> nn.Module:
    """The network of a folder of `save_pretrained`, or of "owner/name" on the Hub, in eval mode.

    revision: a branch, tag or commit on the Hub. options: those of `bgm.load`. HF_HUB_OFFLINE, the
    local cache and its token are respected. Raises BadInput for a name that is neither here nor
    there, and for a repository without model.safetensors.
    """
    if not str(name):
        raise BadInput('the name is empty, expected a folder or "owner/name" on the Hub')
    if Path(name).is_dir():
        if revision is not None:
            raise BadInput(f"{name} is a folder, which has no revision {revision}")
        return load(Path(name) / MODEL_FILE, **options)
    if revision and "@" in str(name):
        raise BadInput(f"{name} names a revision, and revision={revision} another: give one")
    at = f"@{revision}" if revision else ""
    return load(f"{HUB}{str(name).removeprefix(HUB)}{at}", **options)


def save_pretrained(
    ckpt: str | Path,
    folder: str | Path,
    licence: str | None = None,
    text: str | None = None,
    hub_name: str = "OWNER/NAME",
) -> Path:
    """Write a checkpoint's network and its model card into a new folder, whole or not at all.

    ckpt: whatever `bgm.load` takes. licence: an identifier of the Hub ("mit", "cc-by-nc-4.0"); None
    takes what the checkpoint says. text: Markdown about the network, for the card; that of a
    network that comes with bgm is its own. hub_name: where it will be, for the card. Raises
    BadInput without a licence, and for a folder that holds files.
    """
    network = network_of(ckpt)
    card = model_card(ckpt, licence, text, hub_name)
    folder, file = Path(folder), weights_file(ckpt)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there already: expected a new or an empty folder")
    with atomic_folder(folder) as partial:
        stored = read_weights(ckpt)
        if file.suffix == ".safetensors" and licence in (None, stored.about.get("licence")):
            shutil.copyfile(file, partial / MODEL_FILE)
        elif file.suffix == ".safetensors":  # card and file say the same
            about = stored.about | {"licence": licence}
            write_safetensors(partial / MODEL_FILE, stored.state, network, about)
        else:  # not the optimizer, nor the folders that a training's run card names
            about = {"licence": licence, "bgm_version": bgm.__version__}
            write_safetensors(partial / MODEL_FILE, load(ckpt).state_dict(), network, about)
        (partial / CARD).write_text(card, encoding="utf-8")
    return folder


def push_to_hub(
    source: str | Path,
    name: str,
    licence: str | None = None,
    text: str | None = None,
    private: bool = False,
    revision: str | None = None,
    message: str | None = None,
) -> str:
    """Put a network onto the Hub under "owner/name"; returns the address of the commit.

    source: a folder of `save_pretrained`, whose card may have been edited, or a checkpoint, with
    licence and text as there. revision: a branch that exists, else main. Needs a token of the Hub
    (`hf auth login` or HF_TOKEN) and a network. Raises BadInput, before anything is sent, for a
    card without a licence and for a folder without model.safetensors.
    """
    name = name.removeprefix(HUB)
    check_name(name)
    hub = require_hub()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(source)
        if folder.is_dir() and (licence is not None or text is not None):
            raise BadInput(f"licence and text are for a checkpoint, {folder} has its own {CARD}")
        if not folder.is_dir():
            folder = save_pretrained(source, Path(temporary) / "network", licence, text, name)
        check_folder(folder)
        try:
            api = hub.HfApi(library_name="bgm", library_version=bgm.__version__)
            api.create_repo(name, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=name,
                folder_path=folder,
                allow_patterns=PUSHED,
                revision=revision,
                commit_message=message or f"Network of bgm {bgm.__version__}",
            )
        except Exception as error:  # of the Hub's client, of its HTTP client and of the system
            raise BadInput(f"{HUB}{name} could not be written ({first_line(error)})") from error
    return str(commit.commit_url)


def check_folder(folder: Path) -> None:
    """Raise BadInput unless folder may be given away: our network, and a card with a licence."""
    if not (folder / MODEL_FILE).is_file():
        raise BadInput(f"{folder} has no {MODEL_FILE}: expected a folder of save_pretrained")
    if not read_weights(folder / MODEL_FILE).network:
        raise BadInput(f"{folder / MODEL_FILE} holds no network of bgm")
    check_card(folder / CARD)
