"""The paper's trimap against its definition, pixel by pixel."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bgm.errors import BadInput
from bgm.trimap import trimap_of
from tests.compose.pictures import matte, picture

LEVELS = st.sampled_from([0, 15, 16, 128, 244, 245, 255])


def spread(x: np.ndarray) -> np.ndarray:
    """Grow what is true by a 3x3 cross."""
    padded = np.pad(x, 1)
    return padded[1:-1, 1:-1] | padded[2:, 1:-1] | padded[:-2, 1:-1] | padded[1:-1, 2:] | (
        padded[1:-1, :-2]
    )  # fmt: skip


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=LEVELS))
@settings(max_examples=60, deadline=None)
def test_trimap_is_the_definition(true: np.ndarray) -> None:
    unknown = (true >= 16) & (true <= 244)  # 15.3 < alpha < 244.8
    for _ in range(2):
        unknown = spread(unknown)
    for _ in range(3):
        unknown = ~spread(~unknown)
    expected = np.where(unknown, 128, np.where(true >= 245, 255, 0))
    assert np.array_equal(trimap_of(true, dilate=2, erode=3), expected)


def test_holes_of_the_band_are_closed() -> None:
    true = np.zeros((60, 80), np.uint8)
    true[10:50, 20:24] = 100  # two thin bands, 12 pixels apart: closed over
    true[10:50, 36:40] = 100
    true[10:50, 60:70] = 255
    found = trimap_of(true)
    assert (found[30, 20:40] == 128).all()
    assert (found[30, 60:70] == 255).all()
    assert found[0, 0] == 0
    assert not (trimap_of(np.zeros((5, 5), np.uint8)) == 128).any()


def test_other_types_are_refused() -> None:
    with pytest.raises(BadInput, match="float64"):
        trimap_of(np.zeros((4, 4)))


def test_thresholds_are_strict_and_all_soft_alpha_is_unknown():
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(3, 0)
    found = trimap_of(ramp, dilate=0, erode=0)[1]
    assert (found[:16] == 0).all()
    assert (found[16:245] == 128).all()
    assert (found[245:] == 255).all()
    grown = trimap_of(picture(0, (40, 40)), dilate=10, erode=10)
    soft = (picture(0, (40, 40)) > 15) & (picture(0, (40, 40)) < 245)
    assert (grown[soft] == 128).all()


def test_more_dilation_than_erosion_grows_the_band():
    x = matte((60, 60))
    bands = [(trimap_of(x, dilate=d, erode=2) == 128) for d in (2, 4, 8)]
    assert all((wide | thin == wide).all() for thin, wide in pairwise(bands))
    assert bands[0].sum() < bands[1].sum() < bands[2].sum()


def test_a_hard_matte_has_no_unknown():
    hard = np.where(matte((40, 40)) > 127, 255, 0).astype(np.uint8)
    assert set(np.unique(trimap_of(hard))) == {0, 255}
