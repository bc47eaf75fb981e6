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
    H, W = shot.shape[:2]
    small = shrink(shot, SIDE)
    h, w = small.shape[:2]
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    to_small = np.linalg.inv(half) @ np.diag([w / W, h / H, 1.0]) @ half
    there = to_small @ movement @ np.linalg.inv(to_small)
    border = cv2.BORDER_REPLICATE
    moved = np.asarray(
        cv2.warpPerspective(shrink(plate, SIDE), there, (w, h), borderMode=border), np.float32
    )
    inside = cv2.warpPerspective(np.ones((h, w), np.float32), there, (w, h)) > 0.999
    correlation, counts = _cells(detail(moved), detail(small), inside)
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
