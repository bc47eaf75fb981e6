"""Files that go while a training stands still: as bad files, in the order that it began with."""

import logging

import pytest
import torch
from folders import make

from bgm.augment import Augment
from bgm.data import MattingData, Mixture
from bgm.data.composites import Composites
from bgm.data.folders import Backgrounds, Subjects
from bgm.data.loaders.file_snapshot import FileSnapshot, file_snapshots
from bgm.data.shards import pack, write_shards
from bgm.errors import BadInput


@pytest.fixture
def root(tmp_path):
    return make(tmp_path / "pictures", subjects=12, backgrounds=8)


def composites(root, split="train", snapshot=None):
    snapshot = snapshot or {"subjects": {}, "backgrounds": {}}
    subjects = Subjects(root / split, **snapshot["subjects"])
    backgrounds = Backgrounds(root / "backgrounds" / split, **snapshot["backgrounds"])
    return Composites(subjects, backgrounds, 16, seed=2)


def made(root, snapshot=None):
    snapshot = snapshot or {"train": None, "valid": None}
    data = [composites(root, split, snapshot[split]) for split in ("train", "valid")]
    options = {"batch_size": 2, "workers": 0, "cache": root / "cache", "checkup_seconds": 0}
    return MattingData(*data, augment=Augment(16), valid_augment=Augment(16), **options)


def handed(state):
    """What bgm.train.resume makes of a stored state."""
    if "stems" in state.get("snapshot", {}):
        return {"snapshot": FileSnapshot(**state["snapshot"])}
    return {name: handed(part) for name, part in state.items()}


def stored(data, path):
    """Through a checkpoint as it is read."""
    torch.save(data.state_dict(), path)
    return handed(torch.load(path, weights_only=True)["snapshot"])


def epochs(data, epochs=(0, 1, 2)):
    """What is drawn, and its colours."""
    loader, found = data.train_dataloader(), []
    for epoch in epochs:
        loader.sampler.set_epoch(epoch)
        found += [(b.draw.tolist(), b.fgr.float().mean(), b.bgr.float().mean()) for b in loader]
    return found


def lose(root):
    """One half of a pair, a pair, a background, and half of a validation pair."""
    gone = ["train/fgr/1.jpg", "train/fgr/4.jpg", "train/pha/4.png", "backgrounds/train/2.jpg"]
    for name in [*gone, "valid/pha/0.png"]:
        (root / name).unlink()


def test_a_resumed_run_does_what_the_uninterrupted_does(root, tmp_path, caplog):
    data = made(root)
    data.prepare_data()
    snapshot, whole = stored(data, tmp_path / "state"), epochs(data)
    again = made(root, snapshot)
    assert epochs(again) == whole
    lose(root)
    with pytest.raises(BadInput, match=r"do not pair: 1 \(only in pha\)"):
        made(root)  # a new training
    with caplog.at_level(logging.WARNING, "bgm.data"):
        resumed = made(root, snapshot)
    for name in ("fgr/1.jpg has gone since this run began, and 1 more", "train/2.jpg has gone"):
        assert name in caplog.text
    resumed.prepare_data()  # its scenes are on disk: of the pictures that it began with
    assert resumed.scenes("valid").root == data.scenes("valid").root
    assert epochs(resumed) == epochs(data) != whole
    assert resumed.faults.seen == data.faults.seen
    assert resumed.state_dict() == data.state_dict()  # and may be resumed once more


def test_files_that_came_since_are_left_out(root, tmp_path, caplog):
    data = made(root)
    snapshot, whole = stored(data, tmp_path / "state"), epochs(data)
    for place in ("train/fgr", "train/pha", "backgrounds/train"):
        old = next((root / place).glob("0.*"))
        (root / place / f"00{old.suffix}").write_bytes(old.read_bytes())
    assert epochs(made(root)) != whole
    with caplog.at_level(logging.WARNING, "bgm.data"):
        assert epochs(made(root, snapshot)) == whole
    assert "00.jpg is new since this run began: left out" in caplog.text


def test_a_file_broken_since_is_no_reason_to_stop(root, tmp_path):
    snapshot = stored(made(root), tmp_path / "state")
    (root / "train" / "fgr" / "3.jpg").write_bytes(b"")
    with pytest.raises(BadInput, match=r"fgr/3.jpg is not a picture"):
        made(root)
    resumed = made(root, snapshot)
    epochs(resumed)
    assert any("fgr/3.jpg" in fault for fault in resumed.faults.seen)


def test_shards_must_be_whole(root, tmp_path):
    subjects = Subjects(root / "train")
    for name, stems in {"all": subjects.stems, "few": subjects.stems[1:]}.items():
        files = [file for file in pack(subjects) if file.stem in stems]
        write_shards(tmp_path / name, files, 1 << 20)
    snapshot = Subjects(tmp_path / "all").file_snapshot()
    assert Subjects(tmp_path / "all", snapshot=snapshot).stems == subjects.stems
    with pytest.raises(BadInput, match=r"few: 0 has gone since .*: put it back, or .*=allow"):
        Subjects(tmp_path / "few", snapshot=snapshot)


def test_parts_are_found_by_the_names_that_make_them(root):
    mixed = Mixture(composites(root), composites(root, "valid"), 0.5)
    found = file_snapshots(mixed)
    assert {name: list(part) for name, part in found.items()} == {
        "new": ["subjects", "backgrounds"],
        "old": ["subjects", "backgrounds"],
    }
    assert found["new"]["subjects"]["snapshot"]["stems"] == sorted(map(str, range(12)))
