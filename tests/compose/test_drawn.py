"""Drawn subjects and places: alpha of every kind, motion that is smooth, the same for ever."""

import hashlib

import numpy as np
import pytest

from bgm.compose.drawing import draw
from bgm.compose.drawing.marks import box_blur, curve, disc, noise, octaves
from bgm.errors import BadInput


def drawn(kind, seed=0, size=(96, 128), time=0):
    return draw({"drawn": kind, "seed": seed, "size": size, "time": time})


@pytest.mark.parametrize("seed", range(3))
def test_subjects_have_solid_empty_and_soft_parts(seed):
    x = drawn("subject", seed)
    assert x.shape == (96, 128, 4)
    assert x.dtype == np.uint8
    alpha = x[..., 3]
    assert (alpha == 255).mean() > 0.1
    assert (alpha == 0).mean() > 0.1
    assert 0.02 < ((alpha > 0) & (alpha < 255)).mean() < 0.6
    assert x[..., :3].reshape(-1, 3).std(0).min() > 3


def test_seeds_differ_and_time_moves_a_little():
    one, same, other = drawn("subject", 1), drawn("subject", 1), drawn("subject", 2)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    places = [drawn("place", 3, time=t).astype(int) for t in range(3)]
    steps = [np.abs(a - b).mean() for a, b in ((places[0], places[1]), (places[0], places[2]))]
    assert 0 < steps[0] < steps[1] < 40
    people = [drawn("subject", 1, time=t)[..., 3].astype(int) for t in (0, 1, 40)]
    assert np.abs(people[0] - people[1]).mean() < np.abs(people[0] - people[2]).mean()


def test_pixels_are_pinned():
    """A change of these hashes changes the committed benchmarks: commit new manifests with it."""
    found = [
        hashlib.sha256(drawn(kind, 5, time=t).tobytes()).hexdigest()[:16]
        for kind, t in (("subject", 0), ("subject", 9), ("place", 0), ("place", 9))
    ]
    assert found == PINNED


PINNED = ["fae0465697bba453", "1b6df7287e443598", "e24cecbd247732bf", "58669bb1b160922e"]


@pytest.mark.parametrize(
    "change", [{"drawn": "horse"}, {"size": (8, 8)}, {"size": 3}, {"seed": "x"}, {"time": None}]
)
def test_what_cannot_be_drawn_is_refused(change):
    with pytest.raises(BadInput, match="drawn source"):
        draw({"drawn": "subject", "seed": 0, "size": (64, 64), "time": 0} | change)


def test_noise_is_smooth_and_fills_its_range():
    x = noise(5, (70, 90), (16, 8))
    assert x.shape == (70, 90)
    assert x.min() >= 0
    assert x.max() <= 65535
    assert x.std() > 8000
    assert np.abs(np.diff(x, axis=0)).max() < 65535 * 2 // 16 + 16  # smoothstep's slope is 1.5
    assert np.abs(np.diff(octaves(5, (70, 90), 32, 4), axis=1)).max() < 65535 // 4


def test_marks():
    canvas = np.zeros((21, 21), np.uint8)
    disc(canvas, (10, 10), 6, 1)
    assert canvas.sum() == sum(y * y + x * x <= 36 for y in range(-6, 7) for x in range(-6, 7))
    disc(canvas, (-50, 5), 6, 1)  # outside: nothing
    assert canvas[0].sum() == 0
    path = curve(((0, 0), (10, 0), (10, 10)), 4)
    assert path.tolist() == [[0, 0], [4, 0], [7, 2], [9, 5], [10, 10]]
    x = np.zeros((9, 9), np.int64)
    x[4, 4] = 900
    assert box_blur(x, 1)[3:6, 3:6].tolist() == [[100] * 3] * 3
    assert box_blur(x, 0) is not x
    assert (box_blur(np.full((5, 5, 3), 7), 2) == 7).all()
