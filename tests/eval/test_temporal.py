"""dtSSD of clips: RVM's count and pairs only, in any order, and nothing for single pictures."""

import statistics

import numpy as np
import pytest
import torch

from bgm.data.scenes import Scenes, write_scenes
from bgm.eval.scoring import score_scenes
from bgm.eval.temporal import KEPT, Temporal
from bgm.metrics import dtssd
from bgm.pictures import to_uint8
from bgm.types import Batch

NAMES = ["one/0", "one/1", "one/2", "two/0", "two/1", "two/2"]


def pairs(n, seed=0):
    return list(np.random.default_rng(seed).integers(0, 256, (n, 2, 8, 9), np.uint8))


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 2, 4, 0, 3, 1]])
@pytest.mark.parametrize("put", [True, False])
def test_rows_are_dtssd_of_each_clip(order, put):
    made = pairs(6)
    temporal = Temporal(NAMES, lambda index: tuple(made[index]))
    rows = {}
    for index in order:
        if put:
            temporal.put(index, *made[index])
        rows[index] = temporal.row(index)
    for first in (0, 3):
        true = dtssd(*(list(x) for x in zip(*made[first : first + 3], strict=True)))
        found = [rows[index] for index in range(first, first + 3)]
        assert [row["dtssd"] for row in found] == pytest.approx(true.per_frame)
        assert statistics.fmean(row["dtssd"] for row in found) == pytest.approx(true.mean_rvm)
        over_pairs = [row["dtssd_pairs"] for row in found if "dtssd_pairs" in row]
        assert statistics.fmean(over_pairs) == pytest.approx(true.mean_without_first)


def test_what_was_put_is_not_made_again_and_memory_is_bounded():
    made = pairs(2)
    calls = []
    names = [f"c/{n:03d}" for n in range(3 * KEPT)]
    temporal = Temporal(names, lambda index: calls.append(index) or tuple(made[0]))
    for index in range(len(names)):
        temporal.put(index, *made[index % 2])
        temporal.row(index)
    assert calls == []
    temporal.row(1)
    assert calls == [0, 1]


def test_single_pictures_have_no_temporal_scores():
    temporal = Temporal(["a", "b", "alone/0"], lambda index: 1 / 0)
    for index in range(3):
        temporal.put(index, *pairs(1)[0])
        assert temporal.row(index) == {}


def test_rvm_scores_of_scenes_that_are_clips(tmp_path):
    generator = torch.Generator().manual_seed(0)
    made = []
    for _ in range(6):
        x = torch.randint(0, 256, (10, 8, 12), generator=generator).float() / 255
        made.append(Batch(x[:3], x[3:6], x[6:7], x[7:], torch.tensor(True)))
    write_scenes(tmp_path / "v", made, NAMES)
    scenes = Scenes(tmp_path / "v")

    def run(scene):
        return to_uint8(scene.src[0]).numpy(), None

    scores = score_scenes(scenes, run, "rvm")
    preds, trues = (
        [to_uint8(x).numpy() for x in xs]
        for xs in zip(*[(s.src[0], s.pha[0]) for s in made], strict=True)
    )
    clips = [dtssd(preds[n : n + 3], trues[n : n + 3]) for n in (0, 3)]
    mean = scores.mean()
    assert mean["dtssd"] == pytest.approx(statistics.fmean(c.mean_rvm for c in clips))
    pairs_only = statistics.fmean(c.mean_without_first for c in clips)
    assert mean["dtssd_pairs"] == pytest.approx(pairs_only)
    assert scores.scales["dtssd"] == 1e2
    assert len(scores.values("dtssd_pairs")) == 4
    assert "dtssd" not in score_scenes(scenes, run, "frame").metrics
