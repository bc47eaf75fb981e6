"""Gradient and connectivity errors of mattes (Rhemann et al. 2009)."""

import math
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.metrics.arrays import Mask, Pair

SIGMA = 1.4
_SMALL = 1 << 19  # pixels below which rounding has too few pixels to average out


def derivative_kernels(sigma: float = SIGMA) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gaussian and its derivative, (9,) each for sigma 1.4, of unit length.

    The 9x9 kernel of the reference is their outer product divided by its Frobenius norm, which is
    the product of the two lengths. Source: gaussgradient.m of the alphamatting.com evaluation.
    """
    half = math.ceil(sigma * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * sigma * 0.01)))
    x = np.arange(-half, half + 1, dtype=np.float64)
    gauss = np.exp(-(x**2) / (2 * sigma**2))
    derivative = x * gauss
    return gauss / np.linalg.norm(gauss), derivative / np.linalg.norm(derivative)


_GAUSS, _DERIVATIVE = derivative_kernels()


def gradient_error(pair: Pair, mask: Mask = None, *, normalise: bool = True) -> float:
    """Sum over the mask of (A(pred) - A(true))^2, A the Gaussian gradient amplitude.

    normalise scales each picture by its own minimum and maximum first, as the reference does (a
    constant picture has no gradient); without it pictures keep their scale of 0..1.
    Replicated borders. Amplitudes of large pictures are float32, within 5e-6 of float64.
    """
    if np.array_equal(pair.pred, pair.true):
        return 0.0  # exactly: cv2's last bit depends on where in memory a picture lies
    depth = cv2.CV_64F if pair.true.size <= _SMALL else cv2.CV_32F
    a, b = (_amplitude(x, pair.one, normalise, depth) for x in pair[:2])
    wrong = a - b
    if mask is not None:
        wrong *= mask  # faster than the mask that cv2.norm takes
    return cv2.norm(wrong, cv2.NORM_L2SQR)


def _amplitude(x: NDArray[Any], one: int, normalise: bool, depth: int) -> NDArray[np.float64]:
    """Gradient amplitude of a picture that is moved to begin at 0: float32 has no digits to waste.

    Scaled behind it, in float64: a factor rounded to float32 would be a bias on every pixel.
    """
    low, high = x.min(), x.max()
    span = float(high) - float(low) if normalise else float(one)
    x = x - low
    if depth == cv2.CV_32F and x.dtype != np.uint8:
        x = x.astype(np.float32)
    border = cv2.BORDER_REPLICATE
    dx = cv2.sepFilter2D(x, depth, _DERIVATIVE, _GAUSS, borderType=border)
    dy = cv2.sepFilter2D(x, depth, _GAUSS, _DERIVATIVE, borderType=border)
    return np.multiply(cv2.magnitude(dx, dy), 1 / span if span else 0.0, dtype=np.float64)


Order = Literal["rows", "columns"]  # which of two equally large components comes first

LEVELS = 10
_THRESHOLDS = (np.arange(LEVELS + 1) * 0.1).astype(np.float32)  # the references compare in float32
_FORGIVEN = 0.15  # differences below it are forgiven


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
        return np.where(d > _FORGIVEN * LEVELS * 255, d, 0)
    forgiven = x.astype(np.float32) - _THRESHOLDS[held] < np.float32(_FORGIVEN)
    return np.where(forgiven, 0.0, x - held / LEVELS)
