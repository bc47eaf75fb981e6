"""The families of sources: whatever subjects and backgrounds come from, they are read alike."""

import importlib
import pickle
import pkgutil
import sys
import zipfile

import pytest
import torch
from PIL import Image

import bgm.cli
from bgm.data import Composites, CroppedSubjects, KeptBack, Subjects, open_subjects
from bgm.data.folders import Backgrounds
from bgm.data.interfaces import BackgroundSource, SubjectSource
from bgm.data.shards import pack, write_shards
from bgm.errors import BadInput
from bgm.video import FrameReader
from tests.data.folders import make
from tests.data.invented import InventedBackgrounds, InventedSubjects

COUNT = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = make(tmp_path_factory.mktemp("data"), subjects=COUNT, backgrounds=COUNT)
    (root / "cut").mkdir()
    for index in range(COUNT):
        Subjects(root / "train").open(index).save(root / "cut" / f"{index}.png")
    return root


def zipped(folder, path, around=""):
    """A zip as macOS makes it of a folder: with what nobody asked for."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(f for f in folder.rglob("*") if f.is_file()):
            name = f"{around}{file.relative_to(folder).as_posix()}"
            archive.write(file, name)
            archive.writestr(f"__MACOSX/{around}._{file.name}", b"Mac")
        archive.writestr(f"{around}.DS_Store", b"Mac")
    return path


def clips(root, tmp_path):
    pytest.importorskip("av", reason="the extra `video` is not installed")
    from tests.data.test_clips import write

    for kind in ("fgr", "pha"):
        write(tmp_path / kind / "a.mp4", [40 * n for n in range(COUNT)])
    assert FrameReader(tmp_path / "fgr" / "a.mp4").frames == COUNT
    return open_subjects(tmp_path)


def shards(source, folder):
    write_shards(folder, pack(source), 4000)
    return folder


SUBJECTS = {
    "folder": lambda root, tmp: open_subjects(root / "train"),
    "rgba": lambda root, tmp: open_subjects(root / "cut"),
    "shards": lambda root, tmp: open_subjects(shards(Subjects(root / "train"), tmp / "packed")),
    "rgba shards": lambda root, tmp: open_subjects(shards(Subjects(root / "cut"), tmp / "packed")),
    "zip": lambda root, tmp: open_subjects(zipped(root / "train", tmp / "a.zip")),
    "zip in the folder's place": lambda root, tmp: open_subjects(
        zipped(root / "train", tmp / "train.zip", "train/").with_suffix("")
    ),
    "rgba zip": lambda root, tmp: open_subjects(zipped(root / "cut", tmp / "a.zip", "cut out/")),
    "clips": clips,
    "invented": lambda root, tmp: InventedSubjects(COUNT),
    "kept back": lambda root, tmp: KeptBack(InventedSubjects(2 * COUNT), 2, True),
    "cropped": lambda root, tmp: CroppedSubjects(InventedSubjects(COUNT), each=1),
}
MADE = ("clips", "invented", "kept back", "cropped")  # not of the folder's pictures
BACKGROUNDS = {
    "folder": lambda root, tmp: Backgrounds(root / "backgrounds/train"),
    "shards": lambda root, tmp: Backgrounds(
        shards(Backgrounds(root / "backgrounds/train"), tmp / "packed")
    ),
    "zip": lambda root, tmp: Backgrounds(zipped(root / "backgrounds/train", tmp / "a.zip", "b/")),
    "invented": lambda root, tmp: InventedBackgrounds(COUNT),
}


@pytest.mark.parametrize("kind", SUBJECTS)
def test_subjects_are_read_alike(root, tmp_path, kind):
    source = SUBJECTS[kind](root, tmp_path)
    assert isinstance(source, SubjectSource)
    assert len(source) == COUNT
    assert len({source.name(index) for index in range(COUNT)}) == COUNT
    assert all(len(files) == COUNT for files in source.files.values())
    picture = source.open(1)
    assert picture.mode == "RGBA"
    pha, fgr = source[1]
    assert pha.shape == (1, *picture.size[::-1])
    assert fgr.dtype == pha.dtype == torch.uint8
    pha, fgr = source.read(1, 24)
    assert min(pha.shape[1:]) == 24
    assert fgr.shape == (3, *pha.shape[1:])
    again = pickle.loads(pickle.dumps(source)).read(1, 24)
    assert torch.equal(again[1], fgr)
    if kind not in MADE:
        folder = Subjects(root / ("cut" if "rgba" in kind else "train"))
        assert all(torch.equal(a, b) for a, b in zip((pha, fgr), folder.read(1, 24), strict=True))


def test_every_source_of_ours_is_read_here(root, tmp_path):
    for one in pkgutil.iter_modules(bgm.data.__path__):
        importlib.import_module(f"bgm.data.{one.name}")
    for protocol, known in ((SubjectSource, SUBJECTS), (BackgroundSource, BACKGROUNDS)):
        read = set()
        for number, build in enumerate(known.values()):
            place = tmp_path / f"{protocol.__name__}{number}"
            place.mkdir()
            read.add(type(build(root, place)))
        ours = [kind for kind in subclasses(protocol) if kind.__module__.startswith("bgm.")]
        assert ours
        assert not [kind for kind in ours if kind not in read], "add it to the table above"


def subclasses(kind):
    return [k for child in kind.__subclasses__() for k in (child, *subclasses(child))]


@pytest.mark.parametrize("kind", BACKGROUNDS)
def test_backgrounds_are_read_alike(root, tmp_path, kind):
    source = BACKGROUNDS[kind](root, tmp_path)
    assert isinstance(source, BackgroundSource)
    assert len(source) == len({source.name(index) for index in range(COUNT)}) == COUNT
    assert source.open(1).mode == "RGB"
    assert source[1].shape == (3, *source.open(1).size[::-1])
    x = source.read(1, 24)
    assert x.shape == (3, 24, 24)
    assert torch.equal(pickle.loads(pickle.dumps(source)).read(1, 24), x)
    if kind != "invented":
        assert torch.equal(x, Backgrounds(root / "backgrounds/train").read(1, 24))


def run(monkeypatch, *args):
    monkeypatch.setattr(sys, "argv", ["bgm", *map(str, args)])
    try:
        bgm.cli.main()
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_a_source_of_ones_own_is_trained_on_examined_and_packed(
    root, tmp_path, monkeypatch, capsys
):
    sample = Composites(InventedSubjects(2), InventedBackgrounds(3), 16)[1]
    assert sample.bgr.shape == (3, 16, 16)
    named = [
        "data=folder",
        f"data_root={tmp_path}",
        "~data.valid",
        "data.train.subjects._target_=tests.data.invented.InventedSubjects",
        "~data.train.subjects.root",
        "+data.train.subjects.count=3",
        "data.train.backgrounds._target_=tests.data.invented.InventedBackgrounds",
        "~data.train.backgrounds.folder",
        "+data.train.backgrounds.count=100",
    ]
    assert run(monkeypatch, "doctor", *named, "workers=0") == 0
    assert "all is well" in capsys.readouterr().out


def test_zips_are_examined_and_packed(root, tmp_path, monkeypatch, capsys):
    for split in ("train", "valid"):
        zipped(root / split, tmp_path / f"{split}.zip", f"{split}/")
        (tmp_path / "backgrounds").mkdir(exist_ok=True)
        zipped(root / "backgrounds" / split, tmp_path / "backgrounds" / f"{split}.zip")
    data = ["data=folder", f"data_root={tmp_path}", "workers=0"]
    assert run(monkeypatch, "doctor", *data) == 0
    assert "warnings: 1" in capsys.readouterr().out  # few backgrounds
    out = tmp_path / "packed"
    assert run(monkeypatch, "pack", *data, f"out={out}") == 0
    assert torch.equal(Subjects(out / "train")[2][1], Subjects(root / "train")[2][1])


def test_bad_zips_are_named(root, tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"no zip")
    with pytest.raises(BadInput, match=r"a\.zip is not a zip that can be read"):
        open_subjects(path)
    zipped(root / "train" / "fgr", path, "fgr/")
    with pytest.raises(BadInput, match="has no alpha channel"):
        open_subjects(path)
    zipped(root / "train", path)
    content = bytearray(path.read_bytes())
    start = content.index(b"fgr/2.jpg") + 200
    content[start : start + 100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.zip/fgr/2\.jpg"):
        open_subjects(path)[2]


def test_a_picture_that_is_no_picture_is_counted(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(BadInput, match=r"a\.zip holds 0 pictures and 1 other files"):
        open_subjects(tmp_path / "a.zip")
    Image.new("RGB", (16, 16)).save(tmp_path / "plate.png")
    assert len(Backgrounds(tmp_path)) == 1
