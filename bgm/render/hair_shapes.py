"""Styles of hair, and what becomes of its strands: blended, clumped, curled, frizzed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bgm.render.landmarks import unit
from bgm.render.plan import Stream

Array = NDArray[np.float64]

Pair = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """One way to wear hair; lengths in metres, the rest in shares of what it is called."""

    count: int
    points: int
    length: Pair
    sides: float = 1.0  # length above the ears as a share of that on top
    lift: Pair = (0.2, 0.5)  # how far roots stand up from the scalp
    gravity: Pair = (0.15, 0.45)  # how much a strand bends down in a step: at its root, at its tip
    volume: float = 0.012  # how far the outermost strands keep from the head
    wave: Pair = (0.02, 0.3)
    curl: Pair = (0.0, 0.0)  # radius of curls
    tight: float = 6.0  # length of strand in a turn of a curl, in radii
    clump: Pair = (0.3, 0.8)
    tuft: Pair = (20, 60)  # strands in a tuft
    stray: Pair = (0.01, 0.03)  # strands that leave the others
    comb: str = "part"


STYLES = {
    "long": Style(20000, 26, (0.32, 0.58)),
    "wavy": Style(20000, 30, (0.28, 0.5), curl=(0.006, 0.014), tight=14, volume=0.02),
    "bob": Style(18000, 20, (0.17, 0.27), clump=(0.2, 0.6)),
    "curly": Style(
        15000, 40, (0.14, 0.34), lift=(0.6, 1.0), gravity=(0.08, 0.3), volume=0.03,
        curl=(0.005, 0.013), clump=(0.4, 0.8), stray=(0.02, 0.05),
    ),
    "afro": Style(
        20000, 30, (0.06, 0.15), lift=(1.5, 2.0), gravity=(0.0, 0.03), volume=0.0,
        curl=(0.003, 0.006), clump=(0.2, 0.5), stray=(0.02, 0.05), comb="out",
    ),
    "short": Style(
        17000, 9, (0.03, 0.075), sides=0.35, lift=(0.3, 0.8), gravity=(0.0, 0.1), volume=0.004,
        wave=(0.05, 0.5), clump=(0.3, 0.75), tuft=(25, 70), comb="crown",
    ),
    "crop": Style(
        18000, 6, (0.012, 0.03), sides=0.5, lift=(0.5, 1.0), gravity=(0.0, 0.05), volume=0.0,
        wave=(0.05, 0.3), clump=(0.1, 0.4), tuft=(15, 40), comb="crown",
    ),
    "quiff": Style(
        18000, 12, (0.05, 0.11), sides=0.2, lift=(0.7, 1.2), gravity=(0.0, 0.12), volume=0.01,
        wave=(0.05, 0.5), clump=(0.4, 0.8), tuft=(30, 90), comb="back",
    ),
    "buzz": Style(
        19000, 4, (0.003, 0.009), lift=(0.8, 1.2), gravity=(0.0, 0.0), volume=0.0,
        wave=(0.0, 0.2), clump=(0.0, 0.05), stray=(0.0, 0.0), comb="crown",
    ),
    "bun": Style(
        24000, 16, (0.16, 0.2), gravity=(0.0, 0.0), lift=(0.1, 0.2), volume=0.006, comb="back"
    ),
    "ponytail": Style(
        24000, 16, (0.16, 0.2), gravity=(0.0, 0.0), lift=(0.1, 0.2), volume=0.006, comb="back"
    ),
}  # fmt: skip


@dataclass
class Strands:
    """points (N, K, 3) from root to tip, and the radius at the root, metres."""

    points: Array
    radius: float


def follow(guides: Array, guide_roots: Array, start: Array, lengths: Array, full: Array) -> Array:
    """Strands that start at `start` and run as a blend of their three nearest guides.

    lengths: of the new strands; full: of the guides, so that a shorter strand is a shorter piece.
    """
    distance, near = cKDTree(guide_roots).query(start, k=3)
    weight = 1 / (distance + 1e-4) ** 2
    weight /= weight.sum(1, keepdims=True)
    shape = guides - guides[:, :1]
    blended = (shape[near] * weight[:, :, None, None]).sum(1)
    share = lengths / (full[near] * weight).sum(1)
    return start[:, None] + resampled(blended, np.clip(share, 0.15, 1.3))


def resampled(shape: Array, share: Array) -> Array:
    """The first `share` of every strand, at as many points."""
    points = shape.shape[1]
    where = np.linspace(0, 1, points)[None] * np.minimum(share, 1.0)[:, None] * (points - 1)
    low = np.minimum(where.astype(int), points - 2)
    part = (where - low)[..., None]
    rows = np.arange(len(shape))[:, None]
    found = shape[rows, low] * (1 - part) + shape[rows, low + 1] * part
    return found * np.maximum(share, 1.0)[:, None, None]


def clump(strands: Array, rng: np.random.Generator, tufts: int, amount: float) -> tuple:
    """Strands drawn towards the middle one of their tuft, more at the tip; and their tufts (N,)."""
    centres = rng.choice(len(strands), tufts, replace=False)
    _, tuft = cKDTree(strands[centres, 0]).query(strands[:, 0])
    t = np.linspace(0, 1, strands.shape[1])[None, :, None]
    each = amount * rng.uniform(0.6, 1.1, (tufts, 1, 1))[tuft]
    tips = rng.normal(0, 0.12, (len(strands), 1, 1))
    return strands + (strands[centres][tuft] - strands) * np.clip(each + tips, 0, 1) * t**0.9, tuft


def curled(
    strands: Array, draw: Stream, radius: float, tight: float, length: float, tuft: Array
) -> Array:
    """Strands wound around themselves; tufts turn together. At most a turn per seven points."""
    points = strands.shape[1]
    t = np.linspace(0, 1, points)
    turns = min(length / (radius * tight), points / 7)
    tufts = int(tuft.max()) + 1
    phase = draw.rng.uniform(0, 2 * np.pi, tufts)[tuft] + draw.rng.normal(0, 0.4, len(strands))
    sense = np.where(draw.rng.random(tufts) < 0.5, -1.0, 1.0)[tuft]
    pace = draw.rng.uniform(0.8, 1.15, tufts)[tuft]
    angle = (t[None] * 2 * np.pi * turns * pace[:, None] + phase[:, None]) * sense[:, None]
    tangent = unit(np.gradient(strands, axis=1))
    side = unit(np.cross(tangent, np.array([0.3, 1.0, 0.2])))
    other = np.cross(tangent, side)
    grown = np.minimum(1, t * 3)[None, :, None] * radius
    return strands + grown * (np.cos(angle)[..., None] * side + np.sin(angle)[..., None] * other)


def frizz(strands: Array, rng: np.random.Generator, amount: float) -> Array:
    """Small smooth wobbles that add up towards the tip."""
    n, points, _ = strands.shape
    coarse = rng.normal(0, amount, (n, 4, 3))
    where = np.linspace(0, 3, points)
    low = np.minimum(where.astype(int), 2)
    part = (where - low)[None, :, None]
    wobble = coarse[:, low] * (1 - part) + coarse[:, low + 1] * part
    return strands + wobble * np.linspace(0, 1, points)[None, :, None]
