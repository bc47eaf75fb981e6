"""Gradient error: how differently two mattes are sharp (Rhemann et al. 2009)."""

import math
from typing import Any

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
