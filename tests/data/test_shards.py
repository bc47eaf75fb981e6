"""Shards give the samples of the folders that they were packed from."""

import json

import pytest
import torch
from torch.utils.data import DataLoader

from bgm.data.fingerprint import fingerprint
from bgm.data.folders import Backgrounds, Subjects
from bgm.data.matting import Composites
from bgm.data.packing import packed_pictures
from bgm.data.shards import Packed, read_shards, write_shards
from bgm.errors import BadInput
from tests.data.folders import make, noise, save


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = make(tmp_path_factory.mktemp("folders"), backgrounds=5)
    for kind, suffix in {"fgr": "jpg", "pha": "png"}.items():
        folder = root / "train" / kind
        (folder / "clip 7").mkdir()
        (folder / f"0.{suffix}").rename(folder / "clip 7" / f"ä.v2,50%.{suffix}")
    return root


def packed(root, out, shard_bytes=4000):
    subjects, backgrounds = Subjects(root / "train"), Backgrounds(root / "backgrounds" / "train")
    count = write_shards(
        out / "train", packed_pictures(subjects.stems, subjects.files), shard_bytes
    )
    pictures = packed_pictures(backgrounds.stems, {"bgr": backgrounds.files})
    write_shards(out / "backgrounds" / "train", pictures, 1 << 20)
    return count


def composites(root):
    return Composites(Subjects(root / "train"), Backgrounds(root / "backgrounds" / "train"), 32)


def test_samples_are_those_of_the_folders(root, tmp_path):
    assert packed(root, tmp_path) > 1
    folders, shards = composites(root), composites(tmp_path)
    assert shards.subjects.stems == folders.subjects.stems
    assert "clip 7/ä.v2,50%" in shards.subjects.stems
    for draw in range(12):
        assert all(torch.equal(a, b) for a, b in zip(folders[draw], shards[draw], strict=True))
    assert torch.equal(folders.subjects[1][1], shards.subjects[1][1])
    assert fingerprint(folders.subjects.describe()) == fingerprint(shards.subjects.describe())
    loader = DataLoader(shards, batch_size=None, num_workers=2)
    for draw, sample in enumerate(loader):
        assert torch.equal(sample.fgr, folders[draw].fgr)


def test_shards_hold_whole_stems_and_are_read_without_an_index(root, tmp_path):
    packed(root, tmp_path)
    with_index = read_shards(tmp_path / "train")
    tars = [{s: m.tar for s, m in with_index[kind].items()} for kind in ("fgr", "pha")]
    assert tars[0] == tars[1]
    for path in (tmp_path / "train").glob("*.json"):
        path.unlink()
    assert read_shards(tmp_path / "train") == with_index


def test_webdataset_reads_them(root, tmp_path):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    packed(root, tmp_path)
    tars = sorted(str(path) for path in (tmp_path / "train").glob("*.tar"))
    read = list(webdataset.WebDataset(tars, shardshuffle=False))
    assert len(read) == 6
    assert {"fgr.jpg", "pha.png"} <= set(read[0])


def test_rgba_files_are_packed_as_such(tmp_path):
    import numpy as np

    rgba = np.dstack([noise(np.random.default_rng(0), 16, 16), np.eye(16, dtype=np.uint8) * 255])
    save(tmp_path / "in" / "a.png", rgba)
    subjects = Subjects(tmp_path / "in")
    write_shards(tmp_path / "out", packed_pictures(subjects.stems, subjects.files), 1000)
    again = Subjects(tmp_path / "out")
    assert all(torch.equal(a, b) for a, b in zip(subjects[0], again[0], strict=True))


def test_a_failure_leaves_nothing(root, tmp_path):
    def failing():
        yield Packed("a", "fgr", ".jpg", b"x")
        raise BadInput("a.jpg cannot be read")

    with pytest.raises(BadInput, match="cannot be read"):
        write_shards(tmp_path / "out", failing(), 1000)
    assert list(tmp_path.iterdir()) == []
    packed(root, tmp_path)
    with pytest.raises(BadInput, match="train exists already"):
        packed(root, tmp_path)


def test_bad_shards_are_named(root, tmp_path):
    packed(root, tmp_path)
    tar = tmp_path / "train" / "000000.tar"
    tar.write_bytes(tar.read_bytes()[:-2048])
    with pytest.raises(BadInput, match=r"000000\.tar has \d+ bytes, its index says \d+"):
        Subjects(tmp_path / "train")
    index = tar.with_name("000000.tar.json")
    index.write_text(json.dumps({"members": {}}))
    with pytest.raises(BadInput, match=r"000000\.tar\.json is no index"):
        Subjects(tmp_path / "train")
    index.unlink()
    tar.write_bytes(b"no tar" * 100)
    with pytest.raises(BadInput, match=r"shard .*000000\.tar is broken"):
        Subjects(tmp_path / "train")
    write_shards(tmp_path / "x", [Packed("a", "depth", ".jpg", b"x")], 1000)
    with pytest.raises(BadInput, match=r"holds a\.depth\.jpg: expected"):
        Subjects(tmp_path / "x")
