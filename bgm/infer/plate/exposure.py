"""Photometry of a plate against its shot: match gain and bias, and measure what does not match."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FIT_SIDE = 256  # px: averaging first makes the fit blind to noise and to a shift of a few pixels
TRUSTED = 0.4  # share of pixels that the fit trusts: the subject may cover the rest
GAINS = (0.4, 2.5)
FLAT = 3e-4  # variance of a picture without contrast
MAX_BIAS = 0.25  # in [0, 1]
SAME = 1 / 255
BLACK, WHITE = 0.004, 0.98  # what is clipped tells nothing about the exposure

# `mismatch` above this deserves a warning. Measured on 15 photographs with 31 subjects, 720x540:
# wrong plates 0.16-0.84; right ones 0.00-0.05 when still, up to 0.13 with gamma 0.7-1.4 or a shift
# of 8 px, up to 0.17 with a shift of 20 px; subjects that fill the frame's sides up to 0.25.
MISMATCH = 0.15
BORDER = 0.15  # of the shorter side


class Exposure(NamedTuple):
    """A plate after matching its exposure: bgr * gain + bias."""

    bgr: Tensor  # (3, H, W) uint8
    gain: tuple[float, float, float]
    bias: tuple[float, float, float]  # in [0, 1]
    unchanged: bool  # True: bgr is the plate as it came
    reason: str


def match_exposure(src: Tensor, bgr: Tensor) -> Exposure:
    """Fit one gain and one bias per channel of the plate to the shot and apply them.

    src, bgr: (3, H, W) uint8, aligned to a few pixels. Least trimmed squares by concentration
    steps (Rousseeuw and Van Driessen 2006): the subject is the part that fits worst. Clipped pixels
    have no say. The plate is kept when the fit is implausible or changes less than one level.
    """
    shot, plate = _small(src), _small(bgr)
    usable = (np.minimum(shot, plate) > BLACK).all(-1) & (np.maximum(shot, plate) < WHITE).all(-1)
    if usable.mean() < TRUSTED:
        return _keep(bgr, f"only {usable.mean():.0%} of the pixels are neither black nor white")
    gain, bias = _trimmed_fit(shot[usable], plate[usable])
    if gain.min() < GAINS[0] or gain.max() > GAINS[1] or np.abs(bias).max() > MAX_BIAS:
        return _keep(bgr, f"implausible (gain {_show(gain)}, bias {_show(bias)})")
    if np.abs(plate * gain + bias - plate).mean((0, 1)).max() < SAME:
        return _keep(bgr, "it fits already")
    g, b = (
        torch.from_numpy(v.astype(np.float32)).view(3, 1, 1).to(bgr.device) for v in (gain, bias)
    )
    matched = (bgr.float() * g + b * 255).round().clamp(0, 255).to(torch.uint8)
    reason = f"gain {_show(gain)}, bias {_show(bias)}"
    return Exposure(matched, tuple(gain.tolist()), tuple(bias.tolist()), False, reason)


def mismatch(src: Tensor, bgr: Tensor) -> float:
    """How far the plate is from the shot where subjects seldom are: 0 the same, 1 black on white.

    src, bgr: (3, H, W), uint8 or float in [0, 1]. The median, over the picture's left, right and
    top border, of the largest absolute channel difference, on pictures of 128 px. Above `MISMATCH`
    the plate is most likely of another scene, or far out of place.
    """
    difference = np.abs(_small(src, 128) - _small(bgr, 128)).max(axis=-1)
    H, W = difference.shape
    k = max(1, round(BORDER * min(H, W)))
    border = np.ones((H, W), bool)
    border[k:, k : W - k] = False
    return float(np.median(difference[border]))


def _keep(bgr: Tensor, reason: str) -> Exposure:
    return Exposure(bgr, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), True, f"exposure kept: {reason}")


def _show(values: NDArray) -> str:
    return "/".join(f"{v:.2f}" for v in values)


def _small(x: Tensor, side: int = FIT_SIDE) -> NDArray[np.float32]:
    """(h, w, 3) in [0, 1] of uint8 or float pictures, averaged down to at most `side` px."""
    planes = np.ascontiguousarray(x.cpu().numpy())
    factor = min(1.0, side / max(planes.shape[1:]))
    size = [max(round(s * factor), 1) for s in reversed(planes.shape[1:])]
    small = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes]
    white = np.float32(255 if planes.dtype == np.uint8 else 1)
    return np.stack(small, axis=-1).astype(np.float32) / white


def _trimmed_fit(shot: NDArray, plate: NDArray) -> tuple[NDArray, NDArray]:
    """gain, bias (3,) of shot = plate * gain + bias over the best fitting pixels of (N, 3)."""
    starts = [np.ones(3), np.median(shot / plate, axis=0)]
    fits = [_concentrate(shot, plate, start) for start in starts]
    gain, bias, _ = min(fits, key=lambda fit: fit[2])
    return gain, bias


def _concentrate(shot: NDArray, plate: NDArray, start: NDArray) -> tuple[NDArray, NDArray, float]:
    gain, bias, count = start, np.zeros(3), max(int(len(shot) * TRUSTED), 1)
    for _ in range(30):
        residual = np.abs(shot - plate * gain - bias).max(axis=1)
        chosen = np.argpartition(residual, count - 1)[:count]
        x, y = plate[chosen].astype(np.float64), shot[chosen].astype(np.float64)
        x_mean, y_mean = x.mean(0), y.mean(0)
        # Flat pixels cannot tell a gain from a bias: there the gain stays at its start.
        covariance = ((x - x_mean) * (y - y_mean)).mean(0) + FLAT * start
        previous, gain = gain, covariance / (((x - x_mean) ** 2).mean(0) + FLAT)
        bias = y_mean - gain * x_mean
        if np.abs(gain - previous).max() < 1e-4:
            break
    return gain, bias, float(residual[chosen].mean())
