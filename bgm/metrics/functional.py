"""Sums over pixels: absolute and squared differences, of mattes, of foregrounds and over time."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.errors import BadInput
from bgm.metrics.arrays import Pair

Mask = NDArray[np.uint8] | None  # (H, W), counts where it is not 0; None counts everywhere


def count(pair: Pair, mask: Mask) -> int:
    """Number of pixels that count."""
    H, W = pair.true.shape[:2]
    return H * W if mask is None else cv2.countNonZero(mask)


def absolute(pair: Pair, mask: Mask = None) -> float:
    """Sum of |pred - true| over pixels (and channels), in units of [0, 1]; exact for uint8."""
    return cv2.norm(pair.pred, pair.true, cv2.NORM_L1, mask) / pair.one


def squared(pair: Pair, mask: Mask = None) -> float:
    """Sum of (pred - true)^2 over pixels (and channels), in units of [0, 1]; exact for uint8."""
    return cv2.norm(pair.pred, pair.true, cv2.NORM_L2SQR, mask) / pair.one**2


def foreground(pair: Pair, mask: Mask) -> NDArray[np.uint8]:
    """Where colours count: inside the mask, where anything of the subject is seen (true > 0)."""
    seen = (pair.true > 0).view(np.uint8)
    return seen if mask is None else seen & mask


def ratio(total: float, number: int) -> float:
    """total / number, and NaN where nothing was counted."""
    return total / number if number else math.nan


def change(before: Pair, now: Pair) -> float:
    """Plain dtSSD of a frame and the one before it: RMS of how much the error has changed.

    sqrt(mean(((p_i - p_{i-1}) - (t_i - t_{i-1}))^2)). Raises BadInput for frames of two sizes.
    Source: Erofeev et al. 2015, as counted by RobustVideoMatting (Lin et al. 2022).
    """
    if before.true.shape != now.true.shape:
        raise BadInput(f"frames of sizes {before.true.shape} and {now.true.shape} in one sequence")
    # one frame may happen to hold 8-bit values only: then both are counted as floats
    one = now.one if before.one == now.one else 1
    errors = [_error(pair, one) for pair in (before, now)]
    return math.sqrt(cv2.norm(errors[1], errors[0], cv2.NORM_L2SQR) / now.true.size) / one


def _error(pair: Pair, one: int) -> NDArray[Any]:
    if one == 255:
        return pair.pred.astype(np.int16) - pair.true.astype(np.int16)
    return pair.pred / float(pair.one) - pair.true / float(pair.one)
