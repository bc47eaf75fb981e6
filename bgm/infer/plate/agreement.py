"""How well two pictures agree in their detail, whatever their exposure and their subject."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.infer.plate.registration import Detail, Matrix, detail, shrink

SIDE = 960  # px of the longer side, at which pictures are compared
CELL = 16  # px of a cell's sides
TEXTURED = 0.03  # deviation of the detail in a cell, above which it tells something
ALIKE = 0.7  # correlation of a cell's detail from which it is the same thing
TILE, REACH = 32, 12  # px of a tile's sides, and how far around it is looked for, at `TILE_SIDE`
TILE_SIDE = 480  # px of the longer side
FOUND = 0.8  # correlation of a tile from which it is the same thing, wherever it lies
GAIN = 0.15  # of a tile's correlation, by which it has to fit better elsewhere to lie there
FAR = 1.5  # px at `TILE_SIDE`; less is a matter of noise


class Agreement(NamedTuple):
    """What the cells with detail say."""

    share: float  # of the cells that are the same thing in both
    mean: float  # correlation of all cells, negative ones as 0
    cells: int  # that are the same thing
    covered: float  # share of the picture that the hull of these covers


def compare(plate: Detail, shot: Detail, movement: Matrix) -> Agreement:
    """Agreement of a plate with a shot, (H, W, 3) in [0, 1], after a movement plate px -> shot px.

    What the moved plate does not reach is left out.
    """
    correlation, counts = _cells(*_moved_pair(plate, shot, movement, SIDE))
    if not counts.any():
        return Agreement(0.0, 0.0, 0, 0.0)
    values = correlation[counts]
    alike = counts & (correlation > ALIKE)
    return Agreement(
        float((values > ALIKE).mean()),
        float(np.maximum(values, 0).mean()),
        int(alike.sum()),
        _hull(alike) / alike.size,
    )


def misplaced(plate: Detail, shot: Detail, movement: Matrix) -> float:
    """Share of the moved plate's tiles that are found again, but clearly elsewhere in the shot.

    Every tile is looked for by itself, so that a movement that fits a part of the picture only is
    contradicted by the rest of it. Tiles without texture, and those that are found nowhere (behind
    the subject), have no say.
    """
    a, b, inside = _moved_pair(plate, shot, movement, TILE_SIDE)
    right, wrong = 0, 0
    for y in range(REACH, a.shape[0] - TILE - REACH + 1, TILE):
        for x in range(REACH, a.shape[1] - TILE - REACH + 1, TILE):
            tile = a[y : y + TILE, x : x + TILE]
            near = np.s_[y - REACH : y + TILE + REACH, x - REACH : x + TILE + REACH]
            if not inside[y : y + TILE, x : x + TILE].all() or tile.std() < TEXTURED:
                continue
            found = cv2.matchTemplate(b[near], tile, cv2.TM_CCOEFF_NORMED)
            _, best, _, (u, v) = cv2.minMaxLoc(found)
            far = np.hypot(u - REACH, v - REACH) > FAR
            wrong += far and best > max(found[REACH, REACH] + GAIN, FOUND)
            right += found[REACH, REACH] > ALIKE
    return wrong / max(right + wrong, 1)


def _moved_pair(
    plate: Detail, shot: Detail, movement: Matrix, side: int
) -> tuple[Detail, Detail, NDArray[np.bool_]]:
    """Detail of the moved plate and of the shot at a longer side of `side`, and where both are."""
    H, W = shot.shape[:2]
    small = shrink(shot, side)
    h, w = small.shape[:2]
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    to_small = np.linalg.inv(half) @ np.diag([w / W, h / H, 1.0]) @ half
    there = to_small @ movement @ np.linalg.inv(to_small)
    border = cv2.BORDER_REPLICATE
    moved = np.asarray(
        cv2.warpPerspective(shrink(plate, side), there, (w, h), borderMode=border), np.float32
    )
    inside = cv2.warpPerspective(np.ones((h, w), np.float32), there, (w, h)) > 0.999
    return detail(moved), detail(small), inside


def _cells(a: Detail, b: Detail, inside: NDArray[np.bool_]) -> tuple[Detail, NDArray[np.bool_]]:
    """Correlation (rows, columns) of two pictures in cells, and which cells tell something."""
    rows, columns = (max(side // CELL, 1) for side in inside.shape)

    def mean(x: Detail) -> Detail:
        small = cv2.resize(x, (columns, rows), interpolation=cv2.INTER_AREA)
        return small.reshape(rows, columns, -1).mean(-1)

    def covariance(x: Detail, y: Detail) -> Detail:
        return mean(x * y) - mean(x) * mean(y)

    aa, bb = (np.maximum(covariance(x, x), 0) for x in (a, b))
    whole = mean(inside.astype(np.float32)) > 0.999
    textured = np.minimum(aa, bb) > TEXTURED**2
    correlation = covariance(a, b) / np.sqrt(aa * bb + np.float32(1e-12))
    return correlation.astype(np.float32), whole & textured


def _hull(cells: NDArray[np.bool_]) -> float:
    y, x = np.nonzero(cells)
    if len(x) < 3:
        return 0.0
    corners = np.concatenate([np.stack([x + dx, y + dy], -1) for dx in (0, 1) for dy in (0, 1)])
    return float(cv2.contourArea(cv2.convexHull(corners.astype(np.int32))))
