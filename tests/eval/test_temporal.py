"""Frames before each other; dtSSD of clips: RVM's count, and over pairs only."""

import statistics

import numpy as np
import pytest
import torch

from bgm.data.scenes import Scenes, write_scenes
from bgm.eval.cases import Case, ComputedCases
from bgm.eval.scoring import Rules, frames_before, score_cases
from bgm.metrics import score
from bgm.pictures import to_uint8
from bgm.types import Batch

NAMES = ["one/0", "one/1", "one/2", "two/0", "two/1", "two/2"]


class Cases:
    """Cases of made-up mattes, by name; writes down which are asked for."""

    def __init__(self, names, mattes):
        self.names, self.mattes, self.asked = names, mattes, []

    def __getitem__(self, index):
        self.asked.append(index)
        pred, true = self.mattes[index % len(self.mattes)]
        return Case(pred, None, true, None, None)


def pairs(n, seed=0):
    return list(np.random.default_rng(seed).integers(0, 256, (n, 2, 8, 9), np.uint8))


def test_the_frame_before_is_that_of_the_clip():
    names = ["b", *NAMES, "alone/0"]
    assert frames_before(names) == {1: None, 2: 1, 3: 2, 4: None, 5: 4, 6: 5}


def test_a_frame_is_made_once_in_order():
    """For its own score and for that of the frame after it."""
    cases = Cases([f"c/{n:03d}" for n in range(9)], pairs(9))
    score_cases(cases, Rules("rvm"), threads=1)
    assert cases.asked == list(range(9))


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

    cases = ComputedCases(scenes, run)
    scores = score_cases(cases, Rules("rvm"))
    preds, trues = (
        [to_uint8(x).numpy() for x in xs]
        for xs in zip(*[(s.src[0], s.pha[0]) for s in made], strict=True)
    )
    frames = list(zip(preds, trues, strict=True))
    later = [score(*frames[n], protocol="rvm", before=frames[n - 1])["dtssd"] for n in (1, 2, 4, 5)]
    mean = scores.mean()
    assert mean["dtssd"] == pytest.approx(sum(later) / 6)  # the first of each clip counts 0
    assert mean["dtssd_pairs"] == pytest.approx(statistics.fmean(later))
    assert scores.metrics["dtssd"].scale == 1e2
    assert len(scores.by_name("dtssd_pairs")) == 4
    assert "dtssd" not in score_cases(cases, Rules("frame")).metrics
