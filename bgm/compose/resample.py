"""Resizing and sub-pixel shifts in integers: every machine gets the same bytes."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BITS = 22  # of a weight; Pillow's, whose results these are
SUB = 256  # parts of a pixel in which shifts are counted
Array = NDArray[np.uint8]


def resize(x: NDArray, size: tuple[int, int]) -> NDArray:
    """Resize (h, w) or (h, w, C) integers to size = (H, W): bilinear, antialiased when shrinking.

    Pillow's filter with weights from exact integers, columns first; the type of x stays.
    """
    for axis in (1, 0):
        x = _resize_axis(x, axis, size[axis])
    return x


def _resize_axis(x: NDArray, axis: int, m: int) -> NDArray:
    n = x.shape[axis]
    if n == m:
        return x
    index, weight = taps(n, m)
    wide = np.int32 if x.dtype == np.uint8 else np.int64
    shape = [1] * x.ndim
    shape[axis] = m
    total = np.full([*x.shape[:axis], m, *x.shape[axis + 1 :]], 1 << (BITS - 1), wide)
    for tap in range(index.shape[1]):
        part = np.take(x, index[:, tap], axis).astype(wide)
        part *= weight[:, tap].astype(wide).reshape(shape)
        total += part
    total >>= BITS
    return total.clip(0, np.iinfo(x.dtype).max).astype(x.dtype)


@lru_cache(maxsize=64)
def taps(n: int, m: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each of m pixels looks in n, and with which weight: two arrays (m, taps).

    A triangle of half width max(n / m, 1) around the pixel's centre; all distances are counted in
    1 / (2 m) of a source pixel, so that they are integers. Weights sum to about 2 ** BITS.
    """
    reach = max(n, m)
    rows = []
    for out in range(m):
        centre = (2 * out + 1) * n
        first = max(0, (centre - 2 * reach) // (2 * m))
        last = min(n - 1, (centre + 2 * reach) // (2 * m))
        near = range(first, last + 1)
        rows.append([(i, max(0, 2 * reach - abs((2 * i + 1) * m - centre))) for i in near])
    longest = max(map(len, rows))
    index = np.zeros((m, longest), np.int64)
    weight = np.zeros((m, longest), np.int64)
    for out, row in enumerate(rows):
        whole = sum(w for _, w in row)
        for tap, (i, w) in enumerate(row):
            index[out, tap] = i
            weight[out, tap] = ((w << (BITS + 1)) + whole) // (2 * whole)  # rounded half up
    return index, weight


def resize_subject(fgr: Array, pha: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """Resize colours (h, w, 3) with alpha (h, w) as their weight, and alpha, to size = (H, W).

    What lies outside the subject does not bleed in; where alpha stays 0 colours are plain averages.
    """
    if fgr.shape[:2] == size:
        return fgr, pha
    small, plain = resize(pha, size), resize(fgr, size)
    product = resize(fgr.astype(np.int64) * pha[..., None], size)
    alpha = resize(pha.astype(np.int64) * 255, size)[..., None]
    weighted = (2 * 255 * product + alpha) // (2 * alpha).clip(1)
    return np.where(alpha > 0, weighted.clip(0, 255), plain).astype(np.uint8), small


def shift(x: Array, dx: int, dy: int) -> NDArray[np.int32]:
    """Move (H, W, ...) right by dx and down by dy, in 1/SUB pixels; the border is replicated.

    Bilinear, exact: returns values times SUB * SUB.
    """
    out = x.astype(np.int32)
    for axis, move in ((0, dy), (1, dx)):
        whole, part = divmod(move, SUB)
        n = x.shape[axis]
        here, before = (np.clip(np.arange(n) - whole - back, 0, n - 1) for back in (0, 1))
        out = np.take(out, here, axis) * (SUB - part) + np.take(out, before, axis) * part
    return out
