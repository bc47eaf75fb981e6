"""Integer ingredients: noise, discs, tubes, strands, box blur."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bgm.compose.seeding import random_words

Field = NDArray[np.int32]
Point = tuple[int, int]  # y, x


def noise(stream: int, size: tuple[int, int], cell: tuple[int, int]) -> Field:
    """Smooth noise (H, W) in 0..65535: random numbers every cell = (dy, dx) pixels, joined.

    Bilinear with smoothstep's easing (Perlin 1985), weights in 1/1024.
    """
    (H, W), (dy, dx) = size, cell
    lattice = random_words(stream, (H // dy + 2, W // dx + 2)).astype(np.int64)
    row, ease_y = _eased(H, dy)
    column, ease_x = _eased(W, dx)
    lines: NDArray[np.int64] = (
        lattice[row] * (1024 - ease_y)[:, None] + lattice[row + 1] * ease_y[:, None]
    )
    out: NDArray[np.int64] = lines[:, column] * (1024 - ease_x) + lines[:, column + 1] * ease_x
    return (out >> 20).astype(np.int32)


def _eased(n: int, cell: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    at = np.arange(n, dtype=np.int64)
    part = (at % cell) * 1024 // cell
    return at // cell, (3 * 1024 - 2 * part) * part * part >> 20


def octaves(stream: int, size: tuple[int, int], cell: int, count: int) -> Field:
    """Noise of `count` sizes, each half as large and half as strong, in 0..65535."""
    total, weight = np.zeros(size, np.int64), 0
    for level in range(count):
        side = max(1, cell >> level)
        total += noise(stream + level, size, (side, side)).astype(np.int64) << (count - level)
        weight += 1 << (count - level)
    return (total // weight).astype(np.int32)


def disc(canvas: NDArray, centre: Point, radius: int, value: int, squash: int = 1024) -> None:
    """Paint a disc into a canvas; squash / 1024 is its height over its width."""
    (y, x), (H, W) = centre, canvas.shape
    tall = max(1, radius * squash // 1024)
    top, bottom = max(0, y - tall), min(H, y + tall + 1)
    left, right = max(0, x - radius), min(W, x + radius + 1)
    if top >= bottom or left >= right:
        return
    dy = np.arange(top, bottom, dtype=np.int64)[:, None] - y
    dx = np.arange(left, right, dtype=np.int64) - x
    inside = dy * dy * radius * radius + dx * dx * tall * tall <= (radius * tall) ** 2
    canvas[top:bottom, left:right][inside] = value


def curve(points: Sequence[Point], steps: int) -> NDArray[np.int64]:
    """steps + 1 points (y, x) of a quadratic Bezier curve through three, rounded down."""
    t = np.arange(steps + 1, dtype=np.int64)[:, None]
    a, b, c = (np.array(point, np.int64) for point in points)
    rest = steps - t
    return (a * rest * rest + 2 * b * rest * t + c * t * t) // (steps * steps)


def tube(canvas: NDArray, points: Sequence[Point], radii: tuple[int, int], value: int) -> None:
    """Paint a bent limb whose radius runs from radii[0] to radii[1]."""
    length = sum(abs(p[i] - q[i]) for p, q in pairwise(points) for i in (0, 1))
    steps = max(2, 6 * length // max(1, min(radii)))
    for step, (y, x) in enumerate(curve(points, steps)):
        radius = radii[0] + (radii[1] - radii[0]) * step // steps
        disc(canvas, (int(y), int(x)), radius, value)


def strand(canvas: NDArray, points: Sequence[Point], width: int, value: int) -> None:
    """Paint a hair: a curve of width x width dots that thins to one at its tip."""
    (y0, x0), (y1, x1), (y2, x2) = points
    steps = max(abs(y1 - y0) + abs(y2 - y1), abs(x1 - x0) + abs(x2 - x1), 1) * 2
    path = curve(points, steps)
    H, W = canvas.shape
    for thick in range(width):
        along = path[: (steps + 1) * (width - thick) // width]
        for y, x in ((along[:, 0] + thick, along[:, 1]), (along[:, 0], along[:, 1] + thick)):
            inside = (y >= 0) & (y < H) & (x >= 0) & (x < W)
            canvas[y[inside], x[inside]] = value


def box_blur(x: NDArray, radius: int) -> NDArray[np.int64]:
    """Mean over (2 radius + 1)^2 pixels of (H, W) or (H, W, C) integers, borders replicated."""
    out, width = x.astype(np.int64), 2 * radius + 1
    for axis in (0, 1):
        around = [(0, 0)] * x.ndim
        around[axis] = (radius, radius)
        windows = sliding_window_view(np.pad(out, around, mode="edge"), width, axis)
        out = (windows.sum(-1) + width // 2) // width
    return out
