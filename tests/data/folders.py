"""Small folders of training data that nothing is wrong with."""

from pathlib import Path

import numpy as np
from PIL import Image


def noise(rng: np.random.Generator, H: int, W: int) -> np.ndarray:
    """A coloured picture that looks like no other (large blocks: what a thumbnail keeps)."""
    blocks = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(blocks).resize((W, H), Image.Resampling.BICUBIC))


def disc(rng: np.random.Generator, H: int, W: int) -> np.ndarray:
    """Alpha of a soft disc somewhere in the picture."""
    y, x = np.mgrid[:H, :W]
    cy, cx = rng.uniform(0.4, 0.6, 2)
    radius = np.hypot(y - cy * H, x - cx * W)
    return (np.clip((0.3 * H - radius) / 4 + 0.5, 0, 1) * 255).round().astype(np.uint8)


def save(path: Path, array: np.ndarray, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


def make(root: Path, subjects: int = 6, backgrounds: int = 100, seed: int = 0) -> Path:
    """train/ and valid/ with fgr/ and pha/, backgrounds/train/ and backgrounds/valid/."""
    rng = np.random.default_rng(seed)
    for split in ("train", "valid"):
        for n in range(subjects):
            save(root / split / "fgr" / f"{n}.jpg", noise(rng, 64, 80))
            save(root / split / "pha" / f"{n}.png", disc(rng, 64, 80))
        for n in range(backgrounds if split == "train" else 3):
            save(root / "backgrounds" / split / f"{n}.jpg", noise(rng, 48, 64))
    return root
