"""Small folders of sources for the tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed, shape):
    """Blocky noise: (H, W) or (H, W, C), uint8."""
    H, W, *rest = shape
    small = np.random.default_rng(seed).integers(0, 256, (H // 4 + 1, W // 4 + 1, *rest), np.uint8)
    return small.repeat(4, 0).repeat(4, 1)[:H, :W]


def pattern(shape):
    """(H, W) or (H, W, C) out of plain arithmetic, uint8: the same wherever and whenever."""
    n = np.arange(int(np.prod(shape)), dtype=np.int64)
    return (n * n // 31 % 251).astype(np.uint8).reshape(shape)


def matte(shape, seed=0):
    """A disc with a soft edge, (H, W), uint8."""
    y, x = np.indices(shape)
    radius = min(shape) * (0.3 + 0.02 * (seed % 5))
    far = np.hypot(y - shape[0] / 2, x - shape[1] / 2)
    return (255 * np.clip((radius - far) / 4 + 0.5, 0, 1)).astype(np.uint8)


def save(path, x):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(x).save(path)


def subjects(folder, stems, shape=(40, 56)):
    for seed, stem in enumerate(stems):
        save(folder / "fgr" / f"{stem}.png", picture(seed, (*shape, 3)))
        save(folder / "pha" / f"{stem}.png", matte(shape, seed))


def backgrounds(folder, stems, shape=(50, 60)):
    for seed, stem in enumerate(stems):
        save(folder / f"{stem}.png", picture(100 + seed, (*shape, 3)))
