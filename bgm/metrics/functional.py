"""Sums over pixels: absolute and squared differences, of mattes, of foregrounds and over time."""

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise, zip_longest
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.errors import BadInput
from bgm.metrics.arrays import Pair, matte_pair

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


class Dtssd(NamedTuple):
    """dtSSD x 1e2 of every frame, and its two means."""

    per_frame: list[float]  # frame 0 is 0
    mean_rvm: float  # counts the 0 of frame 0, as RobustVideoMatting's tables do
    mean_without_first: float  # over pairs of frames; NaN for one frame


def dtssd(pred: Iterable[Any], true: Iterable[Any]) -> Dtssd:
    """Temporal error sqrt(mean(((p_i - p_{i-1}) - (t_i - t_{i-1}))^2)) x 1e2 of two sequences.

    pred and true yield mattes (H, W), uint8 or float in [0, 1]; two frames are held at a time.
    Raises BadInput for sequences of different lengths, without frames, or of changing size.
    Source: Erofeev et al. 2015, as counted by RobustVideoMatting (Lin et al. 2022).
    """
    values = [change(*two) * 1e2 for two in pairwise(_frames(pred, true))]
    total = math.fsum(values)
    return Dtssd([0.0, *values], total / (len(values) + 1), ratio(total, len(values)))


def _frames(pred: Iterable[Any], true: Iterable[Any]) -> Iterator[Pair]:
    number = 0
    for p, t in zip_longest(pred, true):
        if p is None or t is None:
            short, long = ("pred", "true") if p is None else ("true", "pred")
            raise BadInput(f"{short} ends after {number} frames, {long} has more")
        yield matte_pair(p, t)
        number += 1
    if number == 0:
        raise BadInput("dtssd of 0 frames, expected at least 1")


def change(before: Pair, now: Pair) -> float:
    """Plain dtSSD of a frame and the one before it: RMS of how much the error has changed."""
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
