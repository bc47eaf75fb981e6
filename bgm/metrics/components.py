"""The largest connected component of ten nested masks, level by level, exactly.

A flood from the winner of the level above finds this level's winner, and only levels where nothing
can be said about the rest are labelled in full. Full rectangles are emptied but for their frames
and counted as full: a frame connects whatever its rectangle does, and is flooded sooner.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Order = Literal["rows", "columns"]  # which of two equally large components comes first

STRIP = 24  # rows; rectangles are as high
_INNER = STRIP - 2  # emptied pixels of a column
_FLOODS = 6  # floods before a full labelling is cheaper


class _Level:
    """One mask (H, W) of {0, 1}, H a multiple of STRIP, thinned.

    floor: (H / STRIP, W), the lowest value of the columns inside rectangles, see `_floor`.
    """

    def __init__(self, reached: NDArray[np.uint8], floor: NDArray[np.uint8], number: int) -> None:
        self.thin = (reached >= number).view(np.uint8)
        self.emptied = (floor >= number).view(np.uint8)
        _middle(self.thin)[:] &= (1 - self.emptied)[:, None]
        self.size = self.area(self.thin, 1, cv2.countNonZero(self.thin))

    def area(self, where: NDArray[np.uint8], value: int, counted: int) -> int:
        """Pixels of what is painted with value: the `counted` ones and those emptied below them."""
        heads = (where[::STRIP] == value).view(np.uint8)
        return counted + _INNER * int(np.count_nonzero(heads & self.emptied))

    def filled(self, omega: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A component with what was emptied in it, in place."""
        _middle(omega)[:] |= (omega[::STRIP] & self.emptied)[:, None]
        return omega


def levels_held(reached: NDArray[np.uint8], order: Order) -> NDArray[np.uint8]:
    """For every pixel the number of levels 1, 2, ... whose largest component holds it in a row.

    reached: (H, W) in 0..10, a pixel is in the masks of levels 1..reached. From the top level
    down, held_k = [x in Omega_k] * (1 + held_{k+1}), which is the definition.
    """
    H, W = reached.shape
    held = np.pad(reached, ((0, -H % STRIP), (0, 0)))
    strips = held.reshape(-1, STRIP, W)
    low, high = strips.min(axis=1), strips.max(axis=1)
    x, y, w, h = cv2.boundingRect(np.minimum(high, 1))
    box = np.s_[y * STRIP : (y + h) * STRIP, x : x + w]
    if w:
        floor = _floor(np.ascontiguousarray(low[y : y + h, x : x + w]))
        held[box] = _runs(np.ascontiguousarray(held[box]), floor, order)
    return held[:H]


def _floor(low: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The lowest value of a column and its neighbours: where it is high, all three are full."""
    inside = np.zeros_like(low)
    inside[:, 1:-1] = np.minimum(np.minimum(low[:, :-2], low[:, 1:-1]), low[:, 2:])
    return inside


def _middle(x: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A view of the rows of strips that may be emptied, (H / STRIP, STRIP - 2, W)."""
    return x.reshape(-1, STRIP, x.shape[1])[:, 1:-1]


def _runs(reached: NDArray[np.uint8], floor: NDArray[np.uint8], order: Order) -> NDArray[np.uint8]:
    run = np.zeros_like(reached)
    omega, seed, size = run, None, -1
    for number in range(int(reached.max()), 0, -1):
        level = _Level(reached, floor, number)
        if level.size != size:  # else the mask and its winner are unchanged
            omega, seed = _largest(level, seed, order)
            size = level.size
            omega = level.filled(omega)
        run += 1
        run *= omega
    return run


def _largest(
    level: _Level, seed: tuple[int, int] | None, order: Order
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """The largest 4-connected component of a mask, thinned, and a point (x, y) in it."""
    painted, best, left, winner = level.thin.copy(), 0, level.size, (0, (0, 0))
    for paint in range(2, 2 + _FLOODS):
        at = seed if paint == 2 and seed is not None else _first(painted == 1)
        area = level.area(painted, paint, cv2.floodFill(painted, None, at, paint, flags=4)[0])
        left -= area
        if area == best:
            break  # a tie: order decides, over all components
        if area > best:
            best, winner = area, (paint, at)
        if left < best:
            return (painted == winner[0]).view(np.uint8), winner[1]
    return _label_largest(level, order)


def _label_largest(level: _Level, order: Order) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    labels = cv2.connectedComponents(level.thin, connectivity=4)[1]
    sizes = np.bincount(labels.ravel())
    # The first pixel of a component, by rows or columns, is never emptied: no need to fill.
    sizes += _INNER * np.bincount(labels[::STRIP][level.emptied > 0], minlength=len(sizes))
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
