"""Shards give the samples of the folders that they were packed from."""

import json

import numpy as np
import pytest
import torch

from bgm.data.composites import Composites
from bgm.data.fingerprint import fingerprint
from bgm.data.folders import Backgrounds, Subjects
from bgm.data.loaders.resumable import Loader
from bgm.data.shards import PackedFile, pack, read_shards, write_shards
from bgm.errors import BadInput
from tests.data.folders import disc, make, noise, save


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
    count = write_shards(out / "train", pack(subjects), shard_bytes)
    pictures = pack(backgrounds)
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
    loader = Loader(shards, batch_size=None, num_workers=2)
    for draw, sample in enumerate(loader):
        assert torch.equal(sample.fgr, folders[draw].fgr)


def test_shards_hold_whole_stems_and_are_read_without_an_index(root, tmp_path):
    packed(root, tmp_path)
    with_index = read_shards(tmp_path / "train")
    tars = [{s: m.archive for s, m in with_index[kind].items()} for kind in ("fgr", "pha")]
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
    rgba = np.dstack([noise(np.random.default_rng(0), 16, 16), np.eye(16, dtype=np.uint8) * 255])
    save(tmp_path / "in" / "a.png", rgba)
    subjects = Subjects(tmp_path / "in")
    write_shards(tmp_path / "out", pack(subjects), 1000)
    again = Subjects(tmp_path / "out")
    assert all(torch.equal(a, b) for a, b in zip(subjects[0], again[0], strict=True))


def test_a_failure_leaves_nothing(root, tmp_path):
    def failing():
        yield PackedFile("a", "fgr", ".jpg", b"x")
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
    write_shards(tmp_path / "x", [PackedFile("a", "depth", ".jpg", b"x")], 1000)
    with pytest.raises(BadInput, match=r"holds a\.depth\.jpg: expected"):
        Subjects(tmp_path / "x")


def reduced(root, out, size, quality=97, workers=0):
    subjects, backgrounds = Subjects(root / "train"), Backgrounds(root / "backgrounds" / "train")
    write_shards(out / "train", pack(subjects, size, quality, workers), 4000)
    pictures = pack(backgrounds, size, quality, workers)
    write_shards(out / "backgrounds" / "train", pictures, 1 << 20)


def off(one, other):
    return (one.float() - other.float()).abs().mean()


@pytest.mark.parametrize(("size", "workers"), [(32, 2), (24, 0)])
def test_reduced_shards_give_the_samples_that_the_files_give(root, tmp_path, size, workers):
    reduced(root, tmp_path, size, workers=workers)
    large, small = (
        Composites(Subjects(where / "train"), Backgrounds(where / "backgrounds" / "train"), size)
        for where in (root, tmp_path)
    )
    assert small.subjects.stems == large.subjects.stems
    assert min(small.subjects[0][0].shape[1:]) == size
    assert small.backgrounds[0].shape[1:] == (size, size)
    for draw in range(6):
        one, other = large[draw], small[draw]
        assert torch.equal(one.pha, other.pha)
        moved = other.fgr.roll(1, -1)
        seen = one.pha.expand_as(one.fgr) >= 128
        assert off(one.fgr[seen], other.fgr[seen]) < min(2, off(one.fgr[seen], moved[seen]) / 2)
        assert off(one.bgr, other.bgr) < min(2, off(one.bgr, other.bgr.roll(1, -1)) / 2)


def test_nothing_is_enlarged_or_encoded_twice(root, tmp_path):
    reduced(root, tmp_path / "same", 64)
    packed(root, tmp_path / "as they are")
    reduced(root, tmp_path / "once", 32)
    reduced(tmp_path / "once", tmp_path / "twice", 32)
    for one, other in (("same", "as they are"), ("once", "twice")):
        for folder in ("train", "backgrounds/train"):
            contents = [
                {(k, s): m.open().read() for k, found in read.items() for s, m in found.items()}
                for read in (read_shards(tmp_path / name / folder) for name in (one, other))
            ]
            assert contents[0] == contents[1]


def test_rgba_files_are_reduced_to_pairs(tmp_path):
    for n, side in enumerate((16, 40)):
        rgba = np.dstack([noise(np.random.default_rng(n), side, side), disc_of(side)])
        save(tmp_path / "in" / f"{n}.png", rgba)
    write_shards(tmp_path / "out", pack(Subjects(tmp_path / "in"), 20, 97, 0), 1000)
    again = Subjects(tmp_path / "out")
    assert [tuple(again[n][0].shape[1:]) for n in range(2)] == [(16, 16), (20, 20)]
    for n, short in enumerate((16, 20)):
        pha, fgr = Subjects(tmp_path / "in").read(n, short)
        pha_again, fgr_again = again.read(n, short)
        assert torch.equal(pha_again, pha)
        assert off(fgr_again[:, pha[0] > 128], fgr[:, pha[0] > 128]) < 3
    with pytest.raises(BadInput, match="size=15: expected 16 px or more"):
        list(pack(again, 15, 97, 0))


def disc_of(side):
    return disc(np.random.default_rng(side), side, side)
