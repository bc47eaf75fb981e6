"""Connectivity error: what hangs on the body in truth but not in prediction (Rhemann et al. 2009).

The ten level masks are nested, so a flood from the winner of the level above finds this level's
winner, and only levels where nothing can be said about the rest are labelled in full.
"""

from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.metrics.arrays import Pair
from bgm.metrics.functional import Mask

Order = Literal["rows", "columns"]  # which of two equally large components comes first

LEVELS = 10
_THRESHOLDS = (np.arange(LEVELS + 1) * 0.1).astype(np.float32)  # the references compare in float32
_SMALL = 0.15  # differences below it are forgiven
_SIZE = 10  # 8-bit differences are counted in 1 / 2550: 10 p - 255 k
_FLOODS = 6  # floods before a full labelling is cheaper
_BAND = 1 << 16  # pixels of a band: its temporaries stay in a core's cache


def connectivity_error(pair: Pair, mask: Mask = None, *, order: Order = "columns") -> float:
    """Sum over the mask of |phi(pred) - phi(true)|; order breaks ties between equal components.

    phi = 1 - d * [d >= 0.15], d = a - l, l = the level at which a pixel leaves the largest
    4-connected component. Integers throughout for uint8. Source: compute_connectivity_error.m.
    """
    held = levels_held(_reached(pair), order)
    total = 0.0
    difference = _eight_bit_phi if pair.one == 255 else _float_phi
    for band in _bands(pair.true.shape):
        inside = None if mask is None else mask[band]
        if (inside is None or inside.any()) and not np.array_equal(
            pair.pred[band], pair.true[band]
        ):
            pred, true = (difference(x[band], held[band]) for x in pair[:2])
            total += cv2.norm(pred, true, cv2.NORM_L1, inside)
    return total / (_SIZE * 255) if pair.one == 255 else total


def _bands(shape: tuple[int, ...]) -> Iterator[slice]:
    rows = max(1, _BAND // shape[1])
    return (slice(top, top + rows) for top in range(0, shape[0], rows))


def _reached(pair: Pair) -> NDArray[np.uint8]:
    """How many of the ten thresholds both pictures reach, (H, W) in 0..10."""
    if pair.one == 255:  # 10 p >= 255 k is p / 255 >= k / 10 in float32: 153 reaches 0.6
        table = (np.arange(256) * LEVELS // 255).astype(np.uint8)
        return np.asarray(cv2.LUT(cv2.min(pair.pred, pair.true), table), np.uint8)
    reached = np.zeros(pair.true.shape, np.uint8)
    for band in _bands(reached.shape):
        low = np.minimum(pair.pred[band], pair.true[band]).astype(np.float32)
        for threshold in _THRESHOLDS[1:]:
            reached[band] += low >= threshold
    return reached


def levels_held(reached: NDArray[np.uint8], order: Order) -> NDArray[np.uint8]:
    """For every pixel the number of levels 1, 2, ... whose largest component holds it in a row.

    reached: (H, W) in 0..10, a pixel is in the masks of levels 1..reached. From the top level
    down, held_k = [x in Omega_k] * (1 + held_{k+1}), which is the definition.
    """
    held = np.zeros_like(reached)
    x, y, w, h = cv2.boundingRect(np.minimum(reached, 1))
    if w == 0:
        return held
    box = np.s_[y : y + h, x : x + w]
    reached = np.ascontiguousarray(reached[box])
    run = np.zeros_like(reached)
    omega, seed, size = run, None, -1
    for level in range(int(reached.max()), 0, -1):
        mask = (reached >= level).view(np.uint8)
        if (now := cv2.countNonZero(mask)) != size:  # else the mask and its winner are unchanged
            omega, seed = _largest(mask, now, seed, order)
            size = now
        run += 1
        run *= omega
    held[box] = run
    return held


def _largest(
    mask: NDArray[np.uint8], size: int, seed: tuple[int, int] | None, order: Order
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The largest 4-connected component of a mask of size ones, and a point (x, y) in it."""
    painted, best, left, winner = mask.copy(), 0, size, (0, (0, 0))
    for paint in range(2, 2 + _FLOODS):
        at = seed if paint == 2 and seed is not None else _first(painted == 1)
        area = cv2.floodFill(painted, None, at, paint, flags=4)[0]
        left -= area
        if area == best:
            break  # a tie: order decides, over all components
        if area > best:
            best, winner = area, (paint, at)
        if left < best:
            return (painted == winner[0]).view(np.uint8), winner[1]
    return _label_largest(mask, order)


def _label_largest(
    mask: NDArray[np.uint8], order: Order
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    labels = cv2.connectedComponents(mask, connectivity=4)[1]
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    x, y = _first((sizes == sizes.max())[labels], order)
    return (labels == labels[y, x]).view(np.uint8), (x, y)


def _first(where: NDArray[np.bool_], order: Order = "rows") -> tuple[int, int]:
    """The first true point (x, y), row by row or column by column."""
    if order == "columns":
        y, x = _first(where.T)
        return x, y
    y, x = divmod(int(np.argmax(where)), where.shape[1])
    return x, y


def _eight_bit_phi(x: NDArray[np.uint8], held: NDArray[np.uint8]) -> NDArray[np.int16]:
    """(1 - phi) * 2550, exact."""
    d = x.astype(np.int16) * np.int16(_SIZE) - held.astype(np.int16) * np.int16(255)
    smallest = int(_SMALL * _SIZE * 255)  # 382: d >= 382.5 is d > 382
    return np.asarray(cv2.threshold(d, smallest, 0, cv2.THRESH_TOZERO)[1], np.int16)


def _float_phi(x: NDArray[np.float64], held: NDArray[np.uint8]) -> NDArray[np.float64]:
    """1 - phi, compared in float32 as the references do, counted in float64."""
    d = x.astype(np.float32) - _THRESHOLDS[held]
    return (x - held / LEVELS) * (d >= np.float32(_SMALL))
