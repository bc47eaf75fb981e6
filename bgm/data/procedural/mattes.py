"""From skeletons to alpha: signed distances, outlines, hair, and all that makes alpha partial."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.data.procedural.bodies import FAR, FIRST, SLOTS
from bgm.data.procedural.noise import frame_grid, upsample
from bgm.data.procedural.strands import splat

AWAY = 9.0  # distance where there is nothing
GRID = 96  # long side of the distance grid; what is finer comes from noise and strands


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


STRAND_SIDE = 350  # short side at which a strand is one pixel wide
STRAND_LIMIT = 700  # beyond this side strands are drawn smaller and resized

Scene = dict[str, Tensor]


def column(x: Tensor) -> Tensor:
    return x[:, None, None, None]


def figures(s: Scene, white: list[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Group distances (B, 4, h, w) of the subject, and of one that belongs to the background."""
    grid = grid_size(size)
    x, y = frame_grid(grid, s["melt"].device)
    drift = upsample(white[1], grid) * column(s["bend"]) * 2
    x, y = x + drift[:, 0], y + drift[:, 1]
    subject = group_distances(s["parts"], s["melt"], x, y)
    other = torch.full_like(subject, 9.0)
    rows = torch.nonzero(s["role"] > 0)[:, 0]
    if len(rows):
        other[rows] = group_distances(s["extra"][rows], s["melt"][rows], x[rows], y[rows])
    together = column(s["role"] == 1)
    return (
        torch.where(together, torch.minimum(subject, other), subject),
        torch.where(together, 9.0, other),
    )


def strands(s: Scene, batch: int, size: tuple[int, int]) -> Tensor:
    """Opacity (B, 1, H, W) of hair and fur; thinner than a pixel in small pictures."""
    if len(s["strands"]) == 0:
        return s["melt"].new_zeros(batch, 1, *size)
    shrink = math.ceil(min(size) / STRAND_LIMIT)
    small = (math.ceil(size[0] / shrink), math.ceil(size[1] / shrink))
    weight = (min(small) / STRAND_SIDE) ** 0.7
    scaled = torch.cat([s["strands"][:, :6], s["strands"][:, 6:7] * weight, s["strands"][:, 7:]], 1)
    opacity = splat(scaled, s["strand_sample"], batch, small)
    return opacity if shrink == 1 else upsample(opacity, size)


def matte(s: Scene, d: Tensor, strand: Tensor, n: Tensor, white: list[Tensor]) -> Tensor:
    """Alpha (B, 1, H, W) of the outline d with ragged and soft edges, holes, glass, smoke, hair."""
    H, W = size = (d.shape[-2], d.shape[-1])
    x, y = frame_grid(size, d.device)
    edge = column(s["edge"]) / min(H, W)
    d = d + column(s["ragged"]) * n[:, 4:5] * 0.5
    leafy = torch.maximum(d - 0.05, n[:, 4:5] * 0.02)
    d = torch.where(column(s["plant"]) > 0, leafy, d)
    where = (upsample(white[1][:, 2:3], size) * 3).clamp(0, 1)
    pha = coverage(d, edge + column(s["soft"]) * where)
    if bool((s["spot"][:, 0, 0] < 50).any()):
        for k in (0, 1):
            hole = ellipse(s["spot"][:, k], x, y)[:, None]
            pha = pha * (1 - coverage(hole, edge))
    if bool((s["glass"] > 0).any()):
        left, right = (ellipse(s["spot"][:, k], x, y)[:, None] for k in (2, 3))
        pane = coverage(torch.minimum(left, right), edge)
        pha = pha * (1 - column(s["glass"]) * pane)
    if bool((s["smoke"] > 0).any()):
        cloud = coverage(ellipse(s["spot"][:, 4], x, y)[:, None], edge + 0.15)
        cloud = cloud * (0.4 + 0.4 * n[:, 0:1].flip(-1)).clamp(0, 1) * column(s["smoke"])
        pha = 1 - (1 - pha) * (1 - cloud)
    pha = 1 - (1 - pha) * (1 - strand)
    return pha * column(s["ghost"])
