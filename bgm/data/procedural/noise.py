"""Noise with photograph-like spectra and blurs, both as pyramids: cheap, batched, any size."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

COARSEST = 3  # cells along the short side of the coarsest octave


def octaves(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Sizes (h, w) of the pyramid's levels, coarsest first, the picture's own size last."""
    levels = [size]
    while min(levels[0]) >= 2 * COARSEST:
        levels.insert(0, ((levels[0][0] + 1) // 2, (levels[0][1] + 1) // 2))
    return levels


def upsample(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize of (B, C, h, w) to size."""
    return F.interpolate(x, size=list(size), mode="bilinear", align_corners=False)


def fractal(white: list[Tensor], falloff: Tensor) -> Tensor:
    """Sum octaves of white noise (B, C, h, w) to noise of amplitude f ** -exponent, std about 1.

    white: uniform in [-0.5, 0.5], one tensor a level, coarsest first;
    falloff: (B, C) = 2 ** (1 - exponent), amplitude of an octave over that of the coarser one:
    in two dimensions every octave has the same energy at exponent 1 (Field 1987).
    """
    falloff = falloff[:, :, None, None]
    weight = torch.ones_like(falloff)
    x, energy = white[0], weight
    for level in white[1:]:
        weight = weight * falloff
        x = upsample(x, level.shape[-2:]) + weight * level
        energy = energy + weight * weight
    return x * (4.6 / torch.sqrt(energy))  # 4.6: a bilinearly resized uniform grid's 1 / std


def halve(x: Tensor) -> Tensor:
    """Halve (B, C, H, W), rounding sizes up, by averaging 2 x 2 pixels."""
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def defocus(x: Tensor, level: Tensor) -> Tensor:
    """Blur (B, C, H, W) to pyramid depth `level` (B,): 0 is sharp, every level twice as wide."""
    depth = int(level.max().ceil())
    pyramid = [x]
    while len(pyramid) <= depth and min(pyramid[-1].shape[-2:]) > 2:
        pyramid.append(halve(pyramid[-1]))
    out = pyramid[-1]
    for k in range(len(pyramid) - 2, -1, -1):
        coarse = (level - k).clamp(0, 1)[:, None, None, None]
        fine = pyramid[k]
        out = fine + coarse * (upsample(out, fine.shape[-2:]) - fine)
    return out


def soften(x: Tensor, amount: Tensor) -> Tensor:
    """Blur (B, C, H, W) by [a, 1 - 2a, a] along both axes, a = amount (B,) up to 0.25: optics."""
    a = amount[:, None, None, None]
    y = F.pad(x, (1, 1, 1, 1), mode="replicate")
    y = y[:, :, 1:-1] + a * (y[:, :, :-2] + y[:, :, 2:] - 2 * y[:, :, 1:-1])
    return y[..., 1:-1] + a * (y[..., :-2] + y[..., 2:] - 2 * y[..., 1:-1])
