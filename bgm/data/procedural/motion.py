"""Motion blur of a subject that moved while the shutter was open."""

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.data.procedural.distances import frame_grid

FAINT = 1 / 255  # weight of the colours where nothing of the subject passed by
SMALLEST = 0.5  # pixels of the smallest step


def _shifted(x: Tensor, by: Tensor) -> Tensor:
    """Move (B, C, H, W) by (B, 2) = x, y short sides, bilinear; its border goes on beyond it."""
    H, W = x.shape[-2:]
    across, down = frame_grid((H, W), x.device)
    gx = (across - by[:, 0, None, None]) * (2 * min(H, W) / W)
    gy = (down - by[:, 1, None, None]) * (2 * min(H, W) / H)
    grid = torch.stack(torch.broadcast_tensors(gx, gy), -1)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


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
        out[rows] = 0.5 * (here + _shifted(here, motion[rows] * share))
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
