"""Bad files in training: replaced by a function of the draw, named once, borne up to a limit."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image

from bgm.augment import Augment
from bgm.data.composites import Composites
from bgm.data.datamodule import MattingData
from bgm.data.folders import Backgrounds, Subjects
from bgm.data.loaders.skip_broken import Faults, SkipBroken, replacements
from bgm.data.procedural import Procedural
from bgm.errors import BadInput


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for kind, shape in {"fgr": (24, 32, 3), "pha": (24, 32), "bgr": (24, 24, 3)}.items():
        (tmp_path / kind).mkdir()
        for index in range(8):
            picture = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
            picture.save(tmp_path / kind / f"{index}.png")
    return tmp_path


def cut(*paths):
    for path in paths:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def composites(root):
    return Composites(Subjects(root), Backgrounds(root / "bgr"), 16, seed=2)


def datamodule(root, workers=0, bad_files=10):
    return MattingData(
        composites(root),
        augment=Augment(16),
        batch_size=4,
        workers=workers,
        bad_files=bad_files,
        seed=2,
    )


def test_good_draws_stay_and_bad_ones_are_a_function_of_the_draw(root):
    whole = [composites(root)[draw] for draw in range(8)]
    data, found = composites(root), {}
    cut(root / "fgr" / "3.png")
    (root / "pha" / "5.png").unlink()  # vanished since the folders were listed
    for order in (range(8), reversed(range(8))):
        tolerant = SkipBroken(data, seed=2)
        for draw in order:
            sample = tolerant[draw]
            assert int(sample.draw) == draw
            before = found.setdefault(draw, sample)
            assert all(torch.equal(a, b) for a, b in zip(before, sample, strict=True))
            same = all(torch.equal(a, b) for a, b in zip(whole[draw], sample, strict=True))
            assert same == (draw not in (3, 5))
        said = "\n".join(tolerant.faults)
        assert "fgr/3.png is" in said
        assert "pha/5.png does not exist" in said


def test_replacements_stay_in_the_epoch_and_are_others():
    for draw in (0, 7, 8, 1234):
        others = replacements(draw, 8, seed=0)
        assert draw not in others
        assert {other // 8 for other in others} == {draw // 8}
        assert others == replacements(draw, 8, seed=0) != replacements(draw, 8, seed=1)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_counts_and_names_what_its_workers_met(root, workers, caplog):
    data = datamodule(root, workers)
    cut(root / "fgr" / "3.png", root / "bgr" / "6.png")
    loader = data.train_dataloader()
    with caplog.at_level(logging.WARNING, "bgm.data"):
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            draws = [draw for batch in loader for draw in batch.draw.tolist()]
            assert sorted(draws) == list(range(8 * epoch, 8 * epoch + 8))
    assert len(data.faults.seen) == 2
    assert sorted(record.message.split("/")[-1][:5] for record in caplog.records) == [
        "3.png",
        "6.png",
    ]


def test_the_limit_is_an_error_that_names_them(root):
    with pytest.raises(BadInput, match="bad_files >= 0"):
        datamodule(root, bad_files=-1)
    data = datamodule(root, bad_files=1)
    cut(root / "fgr" / "1.png", root / "fgr" / "2.png")
    with pytest.raises(BadInput, match=r"2 different faults .* at most 1 .*fgr/[12]\.png"):
        list(data.train_dataloader())


def test_data_that_are_bad_throughout_stop_at_once(root):
    data = composites(root)
    cut(*(root / "fgr").glob("*.png"))
    with pytest.raises(BadInput, match=r"9 of 9 draws cannot be read, the last one: .*fgr"):
        SkipBroken(data)[0]


def test_batches_made_at_once_stay_at_once():
    data = Procedural(16, 4, 0)
    one, all_at_once = [data[d] for d in range(4)], SkipBroken(data).__getitems__(list(range(4)))
    assert all(torch.equal(a.fgr, b.fgr) for a, b in zip(one, all_at_once, strict=True))


def test_a_fault_is_counted_once():
    faults = Faults(limit=1)
    for _ in range(3):
        faults.add(["a.png is broken"])
    assert faults.seen == {"a.png is broken": 3}
