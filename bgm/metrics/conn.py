"""Connectivity error: what hangs on the body in truth, not in prediction (Rhemann et al. 2009)."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.metrics.arrays import Mask, Pair

Order = Literal["rows", "columns"]  # which of two equally large components comes first

LEVELS = 10
_THRESHOLDS = (np.arange(LEVELS + 1) * 0.1).astype(np.float32)  # the references compare in float32
_SMALL = 0.15  # differences below it are forgiven


def connectivity_error(pair: Pair, mask: Mask = None, *, order: Order = "columns") -> float:
    """Sum over the mask of |phi(pred) - phi(true)|; order breaks ties between equal components.

    phi = 1 - d * [d >= 0.15], d = a - l, l = the level at which a pixel leaves the largest
    4-connected component. Integers throughout for uint8. Source: compute_connectivity_error.m.
    """
    held = levels_held(_reached(pair), order)
    counts = pair.pred != pair.true  # phi is the same elsewhere
    if mask is not None:
        counts &= mask != 0
    one, other = (_beyond(x[counts], held[counts], pair.one) for x in pair[:2])
    return float(np.abs(one - other).sum()) / (LEVELS * 255 if pair.one == 255 else 1)


def levels_held(reached: NDArray[np.uint8], order: Order) -> NDArray[np.uint8]:
    """For every pixel the number of levels 1, 2, ... whose largest component holds it in a row.

    reached: (H, W) in 0..10, a pixel is in the masks of levels 1..reached.
    """
    held, omega = np.zeros_like(reached), reached
    count, seed = -1, None
    for level in range(LEVELS, 0, -1):  # held_k = [x in Omega_k] * (1 + held_{k+1})
        mask = (reached >= level).view(np.uint8)
        if (now := cv2.countNonZero(mask)) != count:  # else mask and component are unchanged
            omega, seed = _largest(mask, now, seed, order)
            count = now
        held += 1
        held *= omega
    return held


def _largest(
    mask: NDArray[np.uint8], count: int, seed: tuple[int, int] | None, order: Order
) -> tuple[NDArray[np.uint8], tuple[int, int] | None]:
    """The largest 4-connected component of a mask of {0, 1}, and a point (x, y) in it.

    count: pixels of the mask. seed: a point of the mask, perhaps in the largest component: a flood
    from it is faster than a labelling, and settles the matter where it has more than half.
    """
    if count == 0:
        return mask, None
    if seed is not None:
        painted = mask.copy()
        if 2 * cv2.floodFill(painted, None, seed, 2, flags=4)[0] > count:
            return (painted == 2).view(np.uint8), seed
    labels = cv2.connectedComponents(mask, connectivity=4)[1]
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    largest = (areas == areas.max())[labels]  # several of them in a tie: order decides
    if order == "rows":
        y, x = divmod(int(largest.argmax()), mask.shape[1])
    else:
        x, y = divmod(int(largest.T.argmax()), mask.shape[0])
    return np.equal(labels, labels[y, x]).view(np.uint8), (x, y)


def _reached(pair: Pair) -> NDArray[np.uint8]:
    """How many of the ten thresholds both pictures reach, (H, W) in 0..10."""
    low = np.minimum(pair.pred, pair.true)
    if pair.one == 255:  # 10 p >= 255 k is p / 255 >= k / 10 in float32: 153 reaches 0.6
        table = (np.arange(256) * LEVELS // 255).astype(np.uint8)
        return np.asarray(cv2.LUT(low, table), np.uint8)
    low = low.astype(np.float32)
    reached = np.zeros(low.shape, np.uint8)
    for threshold in _THRESHOLDS[1:]:
        reached += low >= threshold
    return reached


def _beyond(x: NDArray, held: NDArray[np.uint8], one: int) -> NDArray:
    """1 - phi of pixels (n,); of uint8 in 1 / 2550, exact."""
    if one == 255:
        d = LEVELS * x.astype(np.int32) - 255 * held.astype(np.int32)
        return np.where(d > _SMALL * LEVELS * 255, d, 0)
    forgiven = x.astype(np.float32) - _THRESHOLDS[held] < np.float32(_SMALL)
    return np.where(forgiven, 0.0, x - held / LEVELS)
