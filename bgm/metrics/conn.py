"""Connectivity error: what hangs on the body in truth, not in prediction (Rhemann et al. 2009)."""

from collections.abc import Iterator
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.metrics.arrays import Pair
from bgm.metrics.components import Order, levels_held
from bgm.metrics.functional import Mask

Any8 = NDArray[np.uint8]

LEVELS = 10
_THRESHOLDS = (np.arange(LEVELS + 1) * 0.1).astype(np.float32)  # the references compare in float32
_SMALL = 0.15  # differences below it are forgiven
_SIZE = 10  # 8-bit differences are counted in 1 / 2550: 10 p - 255 k
_TILE = (64, 256)  # rows, columns: temporaries stay in a core's cache, many tiles are left out
_ROWS = 16  # at a time where all pixels count


def connectivity_error(pair: Pair, mask: Mask = None, *, order: Order = "columns") -> float:
    """Sum over the mask of |phi(pred) - phi(true)|; order breaks ties between equal components.

    phi = 1 - d * [d >= 0.15], d = a - l, l = the level at which a pixel leaves the largest
    4-connected component. Integers throughout for uint8. Source: compute_connectivity_error.m.
    """
    held = levels_held(_reached(pair), order)
    total = 0.0
    difference = _eight_bit if pair.one == 255 else _float
    for tile in _tiles(pair.true.shape):
        inside = None if mask is None else mask[tile]
        if inside is not None and not inside.any():
            continue
        if not np.array_equal(pair.pred[tile], pair.true[tile]):
            wrong = difference(pair.pred[tile], pair.true[tile], held[tile])
            if inside is not None:
                wrong *= inside  # six times as fast as the mask that cv2.norm takes
            total += cv2.norm(wrong, cv2.NORM_L1)
    return total / (_SIZE * 255) if pair.one == 255 else total


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    for top, left in product(range(0, shape[0], _TILE[0]), range(0, shape[1], _TILE[1])):
        yield slice(top, top + _TILE[0]), slice(left, left + _TILE[1])


def _reached(pair: Pair) -> NDArray[np.uint8]:
    """How many of the ten thresholds both pictures reach, (H, W) in 0..10."""
    if pair.one == 255:  # 10 p >= 255 k is p / 255 >= k / 10 in float32: 153 reaches 0.6
        table = (np.arange(256) * LEVELS // 255).astype(np.uint8)
        return np.asarray(cv2.LUT(cv2.min(pair.pred, pair.true), table), np.uint8)
    reached = np.zeros(pair.true.shape, np.uint8)
    for top in range(0, len(reached), _ROWS):
        band = slice(top, top + _ROWS)
        low = np.minimum(pair.pred[band], pair.true[band]).astype(np.float32)
        for threshold in _THRESHOLDS[1:]:
            reached[band] += low >= threshold
    return reached


def _eight_bit(pred: Any8, true: Any8, held: Any8) -> NDArray[np.int16]:
    """|phi(pred) - phi(true)| * 2550, exact."""
    left = held.astype(np.int16)
    left *= 255
    phis = []
    for x in (pred, true):
        d = x.astype(np.int16)
        d *= _SIZE
        d -= left
        smallest = int(_SMALL * _SIZE * 255)  # 382: d >= 382.5 is d > 382
        phis.append(cv2.threshold(d, smallest, 0, cv2.THRESH_TOZERO)[1])
    return np.asarray(cv2.absdiff(*phis), np.int16)


def _float(pred: NDArray[np.float64], true: NDArray[np.float64], held: Any8) -> NDArray[np.float64]:
    """|phi(pred) - phi(true)|, compared in float32 as the references do, counted in float64."""
    threshold, left = _THRESHOLDS[held], held / LEVELS
    phis = []
    for x in (pred, true):
        forgiven = x.astype(np.float32) - threshold < np.float32(_SMALL)
        d = x - left
        d[forgiven] = 0
        phis.append(d)
    return np.asarray(cv2.absdiff(*phis), np.float64)
