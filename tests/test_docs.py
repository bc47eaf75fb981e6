"""The docs name what is there: rooms, files, and commands of the README."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from bgm.cli.launch import as_typed
from bgm.model import Sampling
from bgm.paths import conf_dir
from bgm.pictures import read_picture
from tests.networks import tiny

ROOT = Path(__file__).parents[1]
BGM = ROOT / "bgm"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def rows(heading: str) -> list[list[str]]:
    """The cells of the rows of the first table below a heading."""
    part = ARCHITECTURE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_map_has_every_room_once():
    table = rows("Rooms")[: [row[0] for row in rows("Rooms")].index("question")]
    named = [name for row in table for name in re.findall(r"`(\w+)`", row[0])]
    there = {path.stem for path in BGM.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert sorted(named) == sorted(there - {"__init__", "__main__", "__pycache__", "py"})
    for row in table:
        (start,) = re.findall(r"`([\w/]+\.py)`", row[2])
        places = [BGM / start, *(BGM / name / start for name in re.findall(r"`(\w+)`", row[0]))]
        assert any(place.is_file() for place in places), start


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_exist(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
    for name in re.findall(r"`((?:[\w]+/)+\w+\.(?:py|yaml))`", text):
        assert (BGM / name).is_file() or (ROOT / name).is_file() or "NAME" in name, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lists_and_tables_follow_an_empty_line(page):
    """The site's Markdown takes them for a part of the paragraph otherwise; GitHub does not."""
    text = re.sub(r"(?ms)^```.*?^```$", "code", page.read_text(encoding="utf-8"))
    assert not re.findall(r"(?m)^(?![-|#\d ]).+\n(?:- |\|).*", text)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 70


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert (
        read_picture("cutout.png", "RGBA").shape == read_picture("examples/shot.jpg", "RGBA").shape
    )


COMMANDS = re.findall(r"(?m)(?:^|`)python (\w+)\.py ([^`\n#]+)", README)


@pytest.mark.parametrize(("script", "words"), COMMANDS, ids=[" ".join(c) for c in COMMANDS])
def test_the_commands_of_the_readme_compose(script, words):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        compose(script, as_typed(shlex.split(words)))


DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
EXPORTS = re.findall(r"`(export=\w[^`]*)`", DEPLOY.partition("\nTwo words to know")[0])


@pytest.mark.parametrize("words", EXPORTS)
def test_the_exports_that_are_recommended_are_not_refused(words, tmp_path):
    """By the words alone: what is not installed here, or was not tried, is another matter."""
    words = words.replace("H,W", "64,64").replace("shape=...", "shape=[1,64,64]")
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("export", ["ckpt=none", *words.split()])
    if "tensorrt" in words:  # which takes fewer patches than networks have by themselves
        net = tiny(Sampling(80_000))
        instantiate(cfg.export).check_request(net, tmp_path / "net.onnx")


def test_the_exports_that_take_no_shape_are_named():
    (sentence,) = re.findall(r"- `shape=\[batch,height,width\]`([^.]*)\.", DEPLOY)
    for config in sorted(Path(conf_dir(), "export").glob("*.yaml")):
        takes = re.search(r"(?m)^shape:", config.read_text(encoding="utf-8"))
        assert takes or config.stem in sentence.lower(), config.stem
