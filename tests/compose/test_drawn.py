"""Drawn subjects and places: alpha of every kind, motion that is smooth, the same for ever."""

import hashlib

import numpy as np
import pytest

from bgm.compose.drawing import curve, draw, noise, rough
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


PINNED = ["4dc8bf9df7e935e2", "5928fe479ba3716f", "eaa86343c3a90011", "6734f9a7203de155"]


@pytest.mark.parametrize(
    "change", [{"drawn": "horse"}, {"size": (8, 8)}, {"size": 3}, {"seed": "x"}, {"time": None}]
)
def test_what_cannot_be_drawn_is_refused(change):
    with pytest.raises(BadInput, match="drawn source"):
        draw({"drawn": "subject", "seed": 0, "size": (64, 64), "time": 0} | change)


def test_noise_is_smooth_and_fills_its_range():
    x = noise(5, (70, 90), 16)
    assert x.shape == (70, 90)
    assert 0 <= x.min() < 30
    assert 225 < x.max() <= 255
    assert np.abs(np.diff(x, axis=0)).max() < 255 * 2 // 16 + 4
    assert np.abs(np.diff(rough(5, (70, 90), 32), axis=1)).max() < 64


def test_curves():
    path = curve(((0, 0), (10, 0), (10, 10)), 4)
    assert path == [(0, 0), (4, 0), (7, 2), (9, 5), (10, 10)]
