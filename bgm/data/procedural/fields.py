"""Patterns as scalar fields in [0, 1], each kind computed for the layers that drew it."""

from collections.abc import Callable

import torch
from torch import Tensor

KINDS = ("smooth", "stripes", "plaid", "tiles", "cells", "dots", "patches", "text", "leaves")
LEAVES = 16
TABLE = 5 * LEAVES + 1  # uniform numbers a layer


def _frac(x: Tensor) -> Tensor:
    return x - torch.floor(x)


def _hash(i: Tensor, j: Tensor, seed: Tensor) -> Tensor:
    """A number in [0, 1) for cell (i, j) of whole floats; seed (N, 1, 1) makes layers differ.

    Multiplications and additions only, after Hoskins, "Hash without sine" (2014).
    """
    a, b = _frac((i + seed) * 0.1031), _frac((j - seed) * 0.1031)
    dot = a * (b + 33.33) + b * (a + 33.33) + a * (a + 33.33)
    return _frac((a + b + 2 * dot) * (a + dot))


def _smooth(u, v, n, p, seed) -> Tensor:
    return 0.5 + 0.22 * n


def _wave(u: Tensor, p: Tensor) -> Tensor:
    """A periodic profile from soft (p 0) to hard (p 1)."""
    saw = (2 * (u - torch.floor(u)) - 1).abs()
    return (0.5 + (saw - 0.2 - 0.6 * p[:, 1]) * (1 + 11 * p[:, 0])).clamp(0, 1)


def _stripes(u, v, n, p, seed) -> Tensor:
    return _wave(u, p) * (0.6 + 0.4 * _hash(torch.floor(u) % 4, torch.zeros_like(u), seed))


def _plaid(u, v, n, p, seed) -> Tensor:
    return 0.5 * (_wave(u, p) + _wave(v, p))


def _tiles(u, v, n, p, seed) -> Tensor:
    """Bricks, panes, boards: cells of one value each with joints between them."""
    j = torch.floor(v)
    u = u + 0.5 * (j % 2) * (p[:, 0] > 0.5)
    i = torch.floor(u)
    joint = (u - i < 0.16 * p[:, 1]) | (v - j < 0.16 * p[:, 1])
    return torch.where(joint, 0.1, _hash(i, j, seed))


def _nearest(u: Tensor, v: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance to, and value of, the nearest of one jittered point a cell (Worley 1996).

    Looks at the 4 nearest cells only: the jitter is small enough for that to be right mostly.
    """
    i, j = torch.floor(u - 0.5), torch.floor(v - 0.5)
    best, value = torch.full_like(u, 9.0), torch.zeros_like(u)
    for di in (0, 1):
        for dj in (0, 1):
            a = _hash(i + di, j + dj, seed)
            du, dv = u - i - (di + 0.2) - 0.6 * a, v - j - (dj + 0.2) - 0.6 * _frac(a * 37.0)
            d = du * du + dv * dv
            value = torch.where(d < best, a, value)
            best = torch.minimum(d, best)
    return best, _frac(value * 61.0)


def _cells(u, v, n, p, seed) -> Tensor:
    best, value = _nearest(u, v, seed)
    return value * (1 - p[:, 0] * best.clamp(0, 1))


def _dots(u, v, n, p, seed) -> Tensor:
    best, value = _nearest(u, v, seed)
    inside = ((0.05 + 0.15 * p[:, 1] - best) * (4 + 40 * p[:, 0])).clamp(0, 1)
    return inside * (0.4 + 0.6 * value)


def _patches(u, v, n, p, seed) -> Tensor:
    """Islands of equal value with sharp borders: coats, maps, foliage, cloth."""
    steps = 2 + torch.floor(4 * p[:, 1])
    level = torch.floor((0.5 + 0.25 * n).clamp(0, 0.999) * steps)
    return _hash(level, torch.zeros_like(level), seed)


def _text(u, v, n, p, seed) -> Tensor:
    """Lines of glyphs of 3 x 5 cells, with gaps between words and lines."""
    u = u * 1.6
    line, letter = torch.floor(v), torch.floor(u)
    gx, gy = torch.floor((u - letter) * 4), torch.floor((v - line) * 8)
    glyph = torch.floor(_hash(letter, line, seed) * 40)
    ink = _hash(glyph * 5 + gx, gy, seed) > 0.45
    word = _hash(torch.floor(letter / 5 + 0.5 * _frac(line * 0.37)), line + 99, seed) > 0.25
    return (ink & word & (gx < 3) & (gy < 5)).float()


def dead_leaves(spec: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Index map (N, H, W) of shapes that cover each other, 0 = none (Lee et al. 2001).

    spec: (N, M, 6) = centre x, y, radius x, y, cos, sin; odd rows are boxes, even rows ellipses,
    later ones lie on top; x (1, W), y (H, 1).
    """
    cx, cy, rx, ry, c, s = (v[:, :, None, None] for v in spec.unbind(2))
    ax, ay = (x - cx) * (c / rx), (y - cy) * (s / rx)  # (N, M, 1, W), (N, M, H, 1)
    bx, by = (x - cx) * (s / ry), (y - cy) * (c / ry)
    top = torch.zeros(len(spec), y.shape[0], x.shape[1], device=x.device)
    for k in range(spec.shape[1]):
        a, b = ax[:, k] + ay[:, k], by[:, k] - bx[:, k]
        reach = torch.maximum(a.abs(), b.abs()) if k % 2 else a * a + b * b
        top = torch.where(reach < 1, float(k + 1), top)
    return top


def _leaves(x: Tensor, y: Tensor, table: Tensor) -> Tensor:
    """Shapes of power-law sizes, upright or not, out of uniform numbers (N, TABLE)."""
    a, b, c, d, e = table[:, : 5 * LEAVES].view(-1, LEAVES, 5).unbind(2)
    size = 0.03 / (0.05 + c)
    cos = torch.where(table[:, -1:] > 0.5, 1.0, 2 * e - 1)
    sin = torch.sqrt(1 - cos * cos)
    spec = torch.stack([2 * a - 1, 2 * b - 1, size, size * (0.15 + d), cos, sin], 2)
    return _frac(dead_leaves(spec, x, y) * 0.618 + table[:, :1, None])


_FIELDS: dict[str, Callable[..., Tensor]] = {
    "smooth": _smooth, "stripes": _stripes, "plaid": _plaid, "tiles": _tiles, "cells": _cells,
    "dots": _dots, "patches": _patches, "text": _text,
}  # fmt: skip


def draw_fields(
    kind: Tensor, warp: Tensor, p: Tensor, table: Tensor, n: Tensor, x: Tensor, y: Tensor
) -> Tensor:
    """Compute N patterns (N, H, W).

    kind: (N,) index into KINDS; warp: (N, 7) = cos * f, sin * f, -sin * g, cos * g, phase u,
    phase v, bend; p: (N, 2) style in [0, 1]; table: (N, TABLE) uniform; n: noise (N, H, W);
    x (1, W), y (H, 1) in short sides.
    """
    out = torch.empty_like(n)
    for index, name in enumerate(KINDS):
        rows = torch.nonzero(kind == index)[:, 0]
        if len(rows) == 0:
            continue
        if name == "leaves":
            out[rows] = _leaves(x, y, table[rows])
            continue
        a, b, c, d, eu, ev, bend = (w[:, None, None] for w in warp[rows].unbind(1))
        m = n[rows]
        u, v = a * x + b * y + eu + bend * m, c * x + d * y + ev + bend * m
        out[rows] = _FIELDS[name](u, v, m, p[rows][:, :, None, None], 97 * table[rows, :1, None])
    return out
