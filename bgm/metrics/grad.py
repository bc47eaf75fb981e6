"""Gradient error: how differently two mattes are sharp (Rhemann et al. 2009)."""

import math
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.metrics.arrays import Pair
from bgm.metrics.functional import Mask

SIGMA = 1.4
TILE = (128, 256)  # rows, columns: temporaries stay in a core's cache, flat tiles are left out
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
_HALF = len(_GAUSS) // 2


def gradient_error(pair: Pair, mask: Mask = None, *, normalise: bool = True) -> float:
    """Sum over the mask of (A(pred) - A(true))^2, A the Gaussian gradient amplitude.

    normalise scales each picture by its own minimum and maximum first, as the reference does (a
    constant picture has no gradient); without it pictures keep their scale of 0..1.
    Replicated borders. Amplitudes of large pictures are float32, within 5e-6 of float64.
    """
    H, W = pair.true.shape
    depth = cv2.CV_64F if H * W <= _SMALL else cv2.CV_32F
    low, gain = zip(*(_range(x, pair.one, normalise) for x in pair[:2]), strict=True)
    alike = low[0] == low[1] and gain[0] == gain[1]
    total = 0.0
    for top, left in product(range(0, H, TILE[0]), range(0, W, TILE[1])):
        kept = np.s_[top : top + TILE[0], left : left + TILE[1]]
        inside = None if mask is None else mask[kept]
        if inside is not None and not inside.any():
            continue
        y, x = max(top - _HALF, 0), max(left - _HALF, 0)
        seen = np.s_[y : top + TILE[0] + _HALF, x : left + TILE[1] + _HALF]
        if all(part[seen].min() == part[seen].max() for part in pair[:2]):
            continue
        if alike and np.array_equal(pair.pred[seen], pair.true[seen]):
            continue  # exactly 0: cv2's last bit depends on where in memory a picture lies
        a, b = (
            _amplitude(part[seen] - least, depth)[top - y :, left - x :][: TILE[0], : TILE[1]]
            for part, least in zip(pair[:2], low, strict=True)
        )
        if gain[0] != gain[1]:  # a factor rounded to float32 would be a bias on every pixel
            a, b = (np.multiply(z, g, dtype=np.float64) for z, g in zip((a, b), gain, strict=True))
        wrong = a - b
        if inside is not None:
            wrong *= inside  # faster than the mask that cv2.norm takes
        total += cv2.norm(wrong, cv2.NORM_L2SQR)
    return total * gain[0] ** 2 if gain[0] == gain[1] else total


def _range(x: NDArray[Any], one: int, normalise: bool) -> tuple[float, float]:
    low, high = x.min(), x.max()
    span = float(high) - float(low) if normalise else float(one)
    return low, 1 / span if span else 0.0


def _amplitude(x: NDArray[Any], depth: int) -> NDArray[Any]:
    """Gradient amplitude of a tile whose picture begins at 0: float32 has no digits to waste."""
    if depth == cv2.CV_32F and x.dtype != np.uint8:
        x = x.astype(np.float32)
    border = cv2.BORDER_REPLICATE
    dx = cv2.sepFilter2D(x, depth, _DERIVATIVE, _GAUSS, borderType=border)
    dy = cv2.sepFilter2D(x, depth, _GAUSS, _DERIVATIVE, borderType=border)
    return cv2.magnitude(dx, dy)
