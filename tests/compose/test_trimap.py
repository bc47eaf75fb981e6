"""Trimaps: the laws of a closing, and what OpenCV's morphology gives."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from bgm.compose.trimap import trimap
from tests.compose.pictures import matte, picture


@pytest.mark.parametrize("seed", range(3))
def test_it_is_opencvs_closing_of_the_soft_band(seed):
    x = picture(seed, (60, 80)) if seed else matte((60, 80))
    band = ((x > 15) & (x < 245)).astype(np.uint8)  # 0.06 and 0.96 of 255
    kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    closed = cv2.erode(cv2.dilate(band, kernel, iterations=10), kernel, iterations=10)
    found = trimap(x)
    assert np.array_equal(found == 128, closed > 0)
    known = found != 128
    assert np.array_equal(found[known] == 255, x[known] >= 245)


def test_thresholds_are_strict_and_all_soft_alpha_is_unknown():
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(3, 0)
    found = trimap(ramp, dilate=0, erode=0)[1]
    assert (found[:16] == 0).all()
    assert (found[16:245] == 128).all()
    assert (found[245:] == 255).all()
    grown = trimap(picture(0, (40, 40)), dilate=10, erode=10)
    soft = (picture(0, (40, 40)) > 15) & (picture(0, (40, 40)) < 245)
    assert (grown[soft] == 128).all()


def test_more_dilation_than_erosion_grows_the_band():
    x = matte((60, 60))
    bands = [(trimap(x, dilate=d, erode=2) == 128) for d in (2, 4, 8)]
    assert all((wide | thin == wide).all() for thin, wide in pairwise(bands))
    assert bands[0].sum() < bands[1].sum() < bands[2].sum()


def test_a_hard_matte_has_no_unknown():
    hard = np.where(matte((40, 40)) > 127, 255, 0).astype(np.uint8)
    assert set(np.unique(trimap(hard))) == {0, 255}
