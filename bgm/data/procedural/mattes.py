"""From drawn figures to alpha: outlines, hair, and everything that makes alpha partial."""

import math

import torch
from torch import Tensor

from bgm.data.procedural import distances
from bgm.data.procedural.noise import upsample
from bgm.data.procedural.strands import splat

STRAND_SIDE = 350  # short side at which a strand is one pixel wide
STRAND_LIMIT = 700  # beyond this side strands are drawn smaller and resized

Scene = dict[str, Tensor]


def column(x: Tensor) -> Tensor:
    return x[:, None, None, None]


def figures(s: Scene, white: list[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Group distances (B, 4, h, w) of the subject, and of one that belongs to the background."""
    grid = distances.grid_size(size)
    x, y = distances.frame_grid(grid, s["melt"].device)
    drift = upsample(white[1], grid) * column(s["bend"]) * 2
    x, y = x + drift[:, 0], y + drift[:, 1]
    subject = distances.group_distances(s["parts"], s["melt"], x, y)
    other = torch.full_like(subject, 9.0)
    rows = torch.nonzero(s["role"] > 0)[:, 0]
    if len(rows):
        other[rows] = distances.group_distances(s["extra"][rows], s["melt"][rows], x[rows], y[rows])
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
    x, y = distances.frame_grid(size, d.device)
    edge = column(s["edge"]) / min(H, W)
    d = d + column(s["ragged"]) * n[:, 4:5] * 0.5
    leafy = torch.maximum(d - 0.05, n[:, 4:5] * 0.02)
    d = torch.where(column(s["plant"]) > 0, leafy, d)
    where = (upsample(white[1][:, 2:3], size) * 3).clamp(0, 1)
    pha = distances.coverage(d, edge + column(s["soft"]) * where)
    if bool((s["spot"][:, 0, 0] < 50).any()):
        for k in (0, 1):
            hole = distances.ellipse(s["spot"][:, k], x, y)[:, None]
            pha = pha * (1 - distances.coverage(hole, edge))
    if bool((s["glass"] > 0).any()):
        left, right = (distances.ellipse(s["spot"][:, k], x, y)[:, None] for k in (2, 3))
        pane = distances.coverage(torch.minimum(left, right), edge)
        pha = pha * (1 - column(s["glass"]) * pane)
    if bool((s["smoke"] > 0).any()):
        cloud = distances.coverage(distances.ellipse(s["spot"][:, 4], x, y)[:, None], edge + 0.15)
        cloud = cloud * (0.4 + 0.4 * n[:, 0:1].flip(-1)).clamp(0, 1) * column(s["smoke"])
        pha = 1 - (1 - pha) * (1 - cloud)
    pha = 1 - (1 - pha) * (1 - strand)
    return pha * column(s["ghost"])
