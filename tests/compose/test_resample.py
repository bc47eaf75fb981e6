"""Integer resizing and shifting: Pillow's results along each axis, and the laws of a shift."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bgm.compose.resample import BITS, SUB, resize, resize_subject, shift, taps
from tests.compose.pictures import matte, picture


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 99))
def test_one_axis_is_pillows(n, m, seed):
    x = np.random.default_rng(seed).integers(0, 256, (5, n, 3), np.uint8)
    expected = np.asarray(Image.fromarray(x).resize((m, 5), Image.Resampling.BILINEAR))
    found = resize(x, (5, m))
    assert np.abs(found.astype(int) - expected).max() <= 1  # Pillow's weights are rounded floats
    assert (found != expected).mean() < 0.01
    assert np.array_equal(resize(x.transpose(1, 0, 2), (m, 5)), found.transpose(1, 0, 2))


@pytest.mark.parametrize(("n", "m"), [(1, 9), (9, 1), (1920, 512), (288, 1080), (7, 7)])
def test_weights_sum_to_one(n, m):
    index, weight = taps(n, m)
    assert np.abs(weight.sum(1) - (1 << BITS)).max() <= index.shape[1]
    assert index.min() >= 0
    assert index.max() < n


def test_flat_stays_flat_in_any_integer_type():
    for dtype, value in ((np.uint8, 255), (np.uint8, 1), (np.int64, 65025)):
        x = np.full((13, 17), value, dtype)
        assert (resize(x, (40, 5)) == value).all()


def test_colours_outside_the_subject_do_not_bleed():
    pha = matte((64, 64))
    fgr = np.where(pha[..., None] > 0, np.uint8([200, 100, 50]), np.uint8([0, 255, 255]))
    small, alpha = resize_subject(fgr, pha, (24, 24))
    assert np.abs(small[alpha > 0].astype(int) - [200, 100, 50]).max() <= 1
    assert np.array_equal(alpha, resize(pha, (24, 24)))
    bled = resize(fgr, (24, 24))[alpha > 0].astype(int)
    assert np.abs(bled - [200, 100, 50]).max() > 20  # what the weights are good for


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
