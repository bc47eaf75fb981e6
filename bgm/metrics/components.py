"""The largest connected component of ten nested masks, level by level, exactly.

A flood from the winner of the level above finds this level's winner, and only levels where nothing
can be said about the rest are labelled in full.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Order = Literal["rows", "columns"]  # which of two equally large components comes first

_FLOODS = 6  # floods before a full labelling is cheaper


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
    inside, levels = held[box], np.ascontiguousarray(reached[box])
    omega, seed, size = inside, None, -1
    for number in range(int(levels.max()), 0, -1):
        mask = (levels >= number).view(np.uint8)
        if (count := cv2.countNonZero(mask)) != size:  # else mask and winner are unchanged
            omega, seed = _largest(mask, count, seed, order)
            size = count
        inside += 1
        inside *= omega
    return held


def _largest(
    mask: NDArray[np.uint8], count: int, seed: tuple[int, int] | None, order: Order
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The largest 4-connected component of a mask of {0, 1}, and a point (x, y) in it.

    count: pixels of the mask. seed: a point in it, perhaps of the largest component.
    """
    painted, best, left, winner = mask.copy(), 0, count, (0, (0, 0))
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
