"""Signed distances of skeletons on a small grid, and alpha mattes from them at full size."""

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.data.procedural.figures import FAR, FIRST, SLOTS
from bgm.data.procedural.noise import upsample

AWAY = 9.0  # distance where there is nothing
GRID = 96  # long side of the distance grid; what is finer comes from noise and strands


def frame_grid(size: tuple[int, int], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Pixel centres x (1, W), y (H, 1) in short sides, the frame's centre at 0."""
    H, W = size
    x = (torch.arange(W, device=device, dtype=torch.float32) + 0.5 - W / 2) / min(H, W)
    y = (torch.arange(H, device=device, dtype=torch.float32) + 0.5 - H / 2) / min(H, W)
    return x[None, :], y[:, None]


def grid_size(size: tuple[int, int]) -> tuple[int, int]:
    """Size of the distance grid of a picture: at most GRID on the long side."""
    shrink = min(1.0, GRID / max(size))
    return max(2, round(size[0] * shrink)), max(2, round(size[1] * shrink))


def _capsule(part: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Distance (B, h, w) from points to capsules (B, 6) whose radius runs from ra to rb."""
    ax, ay, bx, by, ra, rb = (v[:, None, None] for v in part.unbind(1))
    ux, uy = bx - ax, by - ay
    px, py = x - ax, y - ay
    t = ((px * ux + py * uy) / (ux * ux + uy * uy + 1e-8)).clamp(0, 1)
    dx, dy = px - t * ux, py - t * uy
    return torch.sqrt(dx * dx + dy * dy) - (ra + t * (rb - ra))


def _melt(a: Tensor, b: Tensor, k: Tensor) -> Tensor:
    """Smooth minimum of radius k (Quilez 2013, quadratic polynomial)."""
    h = (k - (a - b).abs()).clamp(min=0)
    return torch.minimum(a, b) - h * h / (4 * k)


def group_distances(parts: Tensor, melt: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Smooth unions of each group's capsules: (B, P, 6), melt (B,), x, y (B, h, w) -> (B, 4, h, w).

    Negative inside, in short sides; melt is the radius of the unions.
    """
    k = melt[:, None, None]
    groups = []
    for first, slots in zip(FIRST, SLOTS, strict=True):
        nearest = torch.full_like(x, AWAY)
        for p in range(first, first + slots):
            if bool((parts[:, p, 0] < FAR).any()):  # a far part changes nothing
                nearest = _melt(nearest, _capsule(parts[:, p], x, y).clamp(max=AWAY), k)
        groups.append(nearest)
    return torch.stack(groups, 1)


def union(groups: Tensor) -> Tensor:
    """Distance to the nearest group: (B, 4, h, w) -> (B, 1, h, w)."""
    return groups.min(1, keepdim=True).values


def ellipse(spec: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Near-distance (B, H, W) to ellipses (B, 6) = (x, y, radius x, radius y, cos, sin)."""
    cx, cy, rx, ry, c, s = (v[:, None, None] for v in spec.unbind(1))
    u, v = ((x - cx) * c + (y - cy) * s) / rx, ((y - cy) * c - (x - cx) * s) / ry
    return (torch.sqrt(u * u + v * v) - 1) * torch.minimum(rx, ry)


def coverage(distance: Tensor, width: Tensor) -> Tensor:
    """Alpha of an edge of half width `width` (same units): 1 inside, smooth step, 0 outside."""
    t = (0.5 - 0.5 * distance / width).clamp(0, 1)
    return t * t * (3 - 2 * t)


def relief(distance: Tensor, light: Tensor, size: tuple[int, int]) -> Tensor:
    """Shading (B, 1, H, W) about 0 of a body as thick as it is deep; light (B, 2) points to it."""
    depth = torch.sqrt((0.01 - distance).clamp(1e-4, 0.04))
    depth = F.avg_pool2d(depth, 3, 1, 1, count_include_pad=False)
    padded = F.pad(depth, (1, 1, 1, 1), mode="replicate")
    step = min(distance.shape[-2:])
    slope_x = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) * (0.5 * step)
    slope_y = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) * (0.5 * step)
    shade = slope_x * light[:, 0, None, None, None] + slope_y * light[:, 1, None, None, None]
    return upsample(shade.clamp(-1, 1), size)
