"""Noise with photograph-like spectra, and blurs of optics, focus and motion: batched, any size."""

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


def frame_grid(size: tuple[int, int], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Pixel centres x (1, W), y (H, 1) in short sides, the frame's centre at 0."""
    H, W = size
    x = (torch.arange(W, device=device, dtype=torch.float32) + 0.5 - W / 2) / min(H, W)
    y = (torch.arange(H, device=device, dtype=torch.float32) + 0.5 - H / 2) / min(H, W)
    return x[None, :], y[:, None]


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


FAINT = 1 / 255  # weight of the colours where nothing of the subject passed by
SMALLEST = 0.5  # pixels of the smallest step


def shifted(x: Tensor, by: Tensor, beyond: str = "border") -> Tensor:
    """Move (B, C, H, W) by (B, 2) = x, y short sides, bilinear; beyond: border or reflection."""
    H, W = x.shape[-2:]
    across, down = frame_grid((H, W), x.device)
    gx = (across - by[:, 0, None, None]) * (2 * min(H, W) / W)
    gy = (down - by[:, 1, None, None]) * (2 * min(H, W) / H)
    grid = torch.stack(torch.broadcast_tensors(gx, gy), -1)
    return F.grid_sample(x, grid, padding_mode=beyond, align_corners=False)


def smear(x: Tensor, motion: Tensor) -> Tensor:
    """Average (B, C, H, W) along motions (B, 2) = x, y short sides: a box as long as the motion.

    Halving steps: the mean of a picture and itself moved by 1/2, 1/4, ... of the way, until a step
    is below half a pixel. Each row takes the steps of its own length, whatever the others need.
    """
    pixels = motion.abs().amax(1) * min(x.shape[-2:])
    share = 0.5
    while float(pixels.max()) * share >= SMALLEST:
        rows = torch.nonzero(pixels * share >= SMALLEST)[:, 0]
        here = x[rows]
        out = x.clone()
        out[rows] = 0.5 * (here + shifted(here, motion[rows] * share))
        x, share = out, share / 2
    return x


def blur_motion(pha: Tensor, fgr: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """Smear alpha (B, 1, H, W) and colours (B, 3, H, W) together along motions (B, 2).

    Colours are weighted by alpha, so that pha * fgr is what the sensor collected from the subject;
    where it never was, they are the smeared extension of its colours. Rows without motion stay.
    """
    rows = torch.nonzero(motion.abs().amax(1) > 0)[:, 0]
    if len(rows) == 0:
        return pha, fgr
    weight = pha[rows] + FAINT
    passed = smear(torch.cat([fgr[rows] * weight, pha[rows]], 1), motion[rows])
    moved_pha, moved_fgr = pha.clone(), fgr.clone()
    moved_pha[rows] = passed[:, 3:].clamp(0, 1)
    moved_fgr[rows] = (passed[:, :3] / (passed[:, 3:] + FAINT)).clamp(0, 1)
    return moved_pha, moved_fgr
