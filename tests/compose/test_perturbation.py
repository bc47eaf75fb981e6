"""The perturbed plate: close to the formulas, exact in its pixels."""

import hashlib
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgm.compose import PlatePerturbation
from bgm.compose.perturbation import (
    FINE,
    MICRO,
    SIGMA,
    SUB,
    UNIT,
    PlateDifference,
    exposure_curve,
    hash_key,
    noise_table,
    perturb,
    random_words,
    shift,
    shuffled_numbers,
)
from tests.compose.pictures import pattern, picture


def test_nothing_changes_nothing():
    x = picture(0, (30, 40, 3))
    assert np.array_equal(perturb(x, PlateDifference((0.0, 0.0), 1.0, 0.0, 0.0, 5)), x)


@pytest.mark.parametrize("gamma", [0.85, 1.0, 1.15])
def test_the_curve_is_a_power(gamma):
    curve = exposure_curve(gamma)
    x = np.arange(255 * FINE + 1) / (255 * FINE)
    assert np.abs(curve - x**gamma * 255 * UNIT).max() <= 0.5001
    assert (np.diff(curve) >= 0).all()
    assert (curve[0], curve[-1]) == (0, 255 * UNIT)


def test_noise_is_gaussian_with_the_mean_and_deviation_asked_for():
    table = noise_table(round(0.01 * MICRO), round(0.02 * MICRO)) / (255 * UNIT)
    assert table.mean() == pytest.approx(0.01, abs=1e-5)
    assert table.std() == pytest.approx(0.02, rel=1e-3)
    plate = PlateDifference((0.0, 0.0), 1.0, 0.02, 0.05, hash_key("a"))
    x = np.full((300, 300, 3), 128, np.uint8)
    found = (perturb(x, plate).astype(float) - 128) / 255
    assert found.mean() == pytest.approx(0.02, abs=5e-4)
    assert found.std() == pytest.approx(0.05, rel=0.01)
    channels = np.corrcoef(found.reshape(-1, 3).T)
    assert np.abs(channels - np.eye(3)).max() < 0.02


def test_no_quantile_is_near_a_rounding_edge():
    """So a logarithm that is wrong in its last bits gives the same table."""
    scaled = [NormalDist().inv_cdf((k + 0.5) / 65536) * SIGMA for k in range(65536)]
    assert min(abs(abs(z - math.floor(z)) - 0.5) for z in scaled) > 1e-5


def test_a_shift_comes_before_the_exposure():
    x = picture(0, (20, 20, 3))
    found = perturb(x, PlateDifference((0.5, 0.0), 1.15, 0.0, 0.0, 5))[:, 1:]
    mean = (x[:, 1:].astype(float) + x[:, :-1]) / 2
    assert np.abs(found - (mean / 255) ** 1.15 * 255).max() <= 0.51


def test_pixels_are_pinned():
    """A change of these hashes changes every composed benchmark: it wants a new FORMAT."""
    plate = PlateDifference((0.296875, -0.109375), 0.8731, -0.01, 0.012, hash_key("pinned"))
    found = perturb(pattern((33, 47, 3)), plate)
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == PINNED
    words = random_words(2**100, (3,)).tolist()
    assert words == WORDS
    assert shuffled_numbers(8, 0, "x") == ORDER
    assert PlatePerturbation().draw(0, "scene", 3) == DRAWN


PINNED = "ebc8dd58b66700ac"
WORDS = [53962, 25640, 47000]
ORDER = [1, 2, 0, 6, 3, 7, 5, 4]
DRAWN = PlateDifference((0.08984375, -0.28125), 0.9863, -0.009614, 0.013199, 4394868534766553)


def test_draws_stay_in_their_ranges_and_fill_them():
    drawn = [PlatePerturbation().draw(7, n) for n in range(400)]
    shifts = np.array([plate.shift for plate in drawn])
    assert np.abs(shifts).max() <= 0.3
    assert np.abs(shifts).max() > 0.28
    assert (shifts * 256 % 1 == 0).all()
    for field, low, high in (
        ("gamma", 0.85, 1.15),
        ("noise_mean", -0.02, 0.02),
        ("noise_std", 0.008, 0.015),
    ):
        values = [getattr(plate, field) for plate in drawn]
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high
    assert len({plate.noise_key for plate in drawn}) == 400


@settings(max_examples=20, deadline=None)
@given(st.integers(-6, 6), st.integers(-6, 6))
def test_whole_shifts_are_rolls(dx, dy):
    x = picture(0, (20, 24, 3))
    found = shift(x, dx * SUB, dy * SUB)
    rolled = np.roll(x, (dy, dx), (0, 1)).astype(np.int32) * SUB * SUB
    inside = np.s_[max(0, dy) : 20 + min(0, dy), max(0, dx) : 24 + min(0, dx)]
    assert np.array_equal(found[inside], rolled[inside])
    border = found[0 if dy > 0 else -1, max(0, dx) : 24 + min(0, dx)]  # the border is repeated
    row = x[0 if dy > 0 else -1, max(0, -dx) : 24 - max(0, dx)]
    assert dy == 0 or np.array_equal(border, row.astype(np.int32) * SUB * SUB)


def test_half_a_pixel_is_the_mean_of_two_and_directions_are_right():
    x = picture(0, (8, 8))
    found = shift(x, SUB // 2, 0)
    expected = (x[:, 1:].astype(int) + x[:, :-1]) * SUB * SUB // 2
    assert np.array_equal(found[:, 1:], expected)
    quarter = shift(x, SUB // 4, 0)  # a quarter to the right: three parts of its own
    expected = (3 * x[:, 1:].astype(int) + x[:, :-1]) * SUB * SUB // 4
    assert np.array_equal(quarter[:, 1:], expected)
