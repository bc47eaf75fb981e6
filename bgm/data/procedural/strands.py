"""Hair, fur and whiskers: quadratic Bezier strands in tufts, splatted as dense points."""

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from bgm.data.procedural.bodies import FAR, Figure
from bgm.data.procedural.ranges import Ranges

UNIT = 256  # opacity is summed in integers: the order of summation cannot change the sum
STEP = 0.8  # pixels between the points of a strand


def _bezier(root, direction, length, curl, droop, taper: float) -> np.ndarray:
    """Control points and weights (n, 8): three (x, y), opacity factor, taper."""
    turned = np.stack([-direction[:, 1], direction[:, 0]], 1)
    middle = root + direction * (0.5 * length[:, None])
    tip = root + direction * length[:, None] + turned * (curl * length)[:, None]
    tip[:, 1] += droop * length
    n = len(root)
    return np.concatenate([root, middle, tip, np.ones((n, 1)), np.full((n, 1), taper)], 1)


def _turn(direction: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rotate unit vectors (n, 2) by angles (n,)."""
    c, s = np.cos(angle), np.sin(angle)
    x, y = direction.T
    return np.stack([x * c - y * s, x * s + y * c], 1)


def draw_hair(rng: Generator, fig: Figure, r: Ranges) -> np.ndarray:
    """Strands (n, 8) around the head in tufts, some of them flying away."""
    x, y, radius = fig.head or (0.0, 0.0, 0.0)
    n = int(rng.uniform(*r.hair_count))
    tufts = int(rng.integers(12, 90))
    tuft = rng.integers(tufts, size=n)
    loose = rng.uniform(*r.hair_tuft)
    wild = (rng.random(n) < rng.uniform(*r.flyaway)) * 1.0
    spread = rng.uniform(1.3, 2.8)
    at = rng.uniform(-spread, spread, tufts)[tuft] + rng.normal(0, 0.15, n)
    outward = np.stack([np.sin(at), -np.cos(at)], 1)
    root = np.array([x, y]) + outward * radius * rng.uniform(0.7, 1.05, (n, 1))
    combed = rng.uniform(0.4, 1.6) * np.sign(at + rng.normal(0, 0.3))  # away from the parting
    lean = combed + rng.normal(0, 0.45, tufts)[tuft] + rng.normal(0, 0.7, n) * (loose + wild)
    direction = _turn(outward, lean)
    length = radius * rng.uniform(*r.hair_length) * rng.uniform(0.5, 1.1, tufts)[tuft]
    length = length * rng.uniform(1 - loose, 1 + loose, n) * rng.uniform(0.5, 1.1, n)
    curl = rng.normal(0, 0.3) + rng.normal(0, 0.5, tufts)[tuft]
    curl = curl + rng.normal(0, 0.5, n) * (loose + wild)
    droop = rng.uniform(0.0, 1.3) * (1 - 0.7 * wild)
    return _bezier(root, direction, length, curl, droop, rng.uniform(0.2, 0.9))


def draw_fur(rng: Generator, fig: Figure, extent: tuple[float, float], r: Ranges) -> np.ndarray:
    """Short strands (n, 8) off the sides of all body parts, more where there is more outline."""
    parts = fig.parts[fig.parts[:, 0] < FAR]
    n = int(rng.uniform(*r.fur_count))
    share = np.hypot(*(parts[:, 2:4] - parts[:, :2]).T) + 2 * parts[:, 4]
    p = parts[rng.choice(len(parts), n, p=share / share.sum())]
    t = rng.uniform(-0.15, 1.15, n)
    along = p[:, 2:4] - p[:, :2] + 1e-4
    along = along / np.hypot(*along.T)[:, None]
    side = np.where(rng.random(n) < 0.5, -1.0, 1.0)[:, None]
    normal = np.stack([-along[:, 1], along[:, 0]], 1) * side
    cap = (np.clip(t - 1, 0, 1) + np.clip(t, -1, 0))[:, None] * 6  # beyond an end: point outwards
    out = normal + along * cap
    out = out / np.hypot(*out.T)[:, None]
    inside = np.clip(t, 0, 1)[:, None]
    thick = p[:, 4:5] + inside * (p[:, 5:6] - p[:, 4:5])
    root = (
        p[:, :2] + inside * (p[:, 2:4] - p[:, :2]) + out * thick * rng.uniform(0.85, 1.15, (n, 1))
    )
    comb = rng.normal(0, 0.7) + np.sin(rng.uniform(1, 9) * 6.3 * t) * 0.3 + rng.normal(0, 0.35, n)
    direction = _turn(out, comb)
    length = rng.uniform(*r.fur_length) * rng.uniform(0.3, 1.4, n)
    keep = (np.abs(root[:, 0]) < extent[1] * 0.55) & (np.abs(root[:, 1]) < extent[0] * 0.55)
    strands = _bezier(root, direction, length, rng.normal(0, 0.3, n), rng.uniform(-0.1, 0.5), 0.9)
    return strands[keep]


def draw_whiskers(rng: Generator, fig: Figure) -> np.ndarray:
    """A few long, thin, nearly straight strands (n, 8) off the face."""
    x, y, radius = fig.head or (0.0, 0.0, 0.0)
    n = int(rng.integers(6, 22))
    side = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    lift = rng.normal(0.1, 0.35, n)
    direction = np.stack([side * np.cos(lift), np.sin(lift)], 1)
    root = np.array([x, y]) + rng.normal(0, 0.2, (n, 2)) * radius + direction * radius * 0.3
    length = radius * rng.uniform(0.8, 2.4, n)
    return _bezier(root, direction, length, rng.normal(0, 0.15, n), rng.uniform(-0.2, 0.3), 0.6)


def splat(strands: Tensor, sample: Tensor, batch: int, size: tuple[int, int]) -> Tensor:
    """Opacity (batch, 1, H, W) of strands (n, 8), one pixel wide, strand i in picture sample[i].

    Points every STEP pixels with bilinear weights, summed as integers, clamped to 1.
    """
    H, W = size
    canvas = torch.zeros(batch * H * W, dtype=torch.int32, device=strands.device)
    scale = min(H, W)
    p0, p1, p2 = (strands[:, k : k + 2] * scale for k in (0, 2, 4))
    reach = (p1 - p0).abs().sum(1) + (p2 - p1).abs().sum(1)
    count = (reach / (STEP * 1.2)).ceil().clamp(2, 4 * (H + W)).long()
    which = torch.repeat_interleave(torch.arange(len(strands), device=strands.device), count)
    start = (count.cumsum(0) - count)[which]
    t = (torch.arange(len(which), device=strands.device) - start).float() / (count[which] - 1)
    s = 1 - t
    x, y = (s * s * p0[which, k] + 2 * s * t * p1[which, k] + t * t * p2[which, k] for k in (0, 1))
    x, y = x + (W / 2 - 0.5), y + (H / 2 - 0.5)
    weight = strands[which, 6] * (1 - strands[which, 7] * t) * (STEP * UNIT)
    x0, y0 = torch.floor(x), torch.floor(y)
    fx, fy = x - x0, y - y0
    base = sample[which] * (H * W)
    for dy, wy in ((0, 1 - fy), (1, fy)):
        for dx, wx in ((0, 1 - fx), (1, fx)):
            cx, cy = x0.long() + dx, y0.long() + dy
            seen = (cx >= 0) & (cx < W) & (cy >= 0) & (cy < H)
            index = torch.where(seen, base + cy * W + cx, 0)
            value = torch.where(seen, (weight * wx * wy).round(), 0.0).int()
            canvas = canvas.scatter_add(0, index, value)
    return (canvas.view(batch, 1, H, W).float() / UNIT).clamp(0, 1)
