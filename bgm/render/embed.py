"""Rendered people made small enough to be part of the package."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bgm.files import atomic_write

MARGIN = 6  # pixels around a subject that does not touch the border


def cropped(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) without empty margins, but for six pixels; a border that cuts stays a border."""
    rows, columns = (np.flatnonzero(rgba[..., 3].any(axis)) for axis in (1, 0))
    if not len(rows):
        return rgba
    top, left = max(0, rows[0] - MARGIN), max(0, columns[0] - MARGIN)
    return rgba[top : rows[-1] + 1 + MARGIN, left : columns[-1] + 1 + MARGIN]


def smaller(rgba: NDArray[np.uint8], longest: int) -> Image.Image:
    """An RGBA picture of at most `longest` pixels, its colours weighted by alpha as it shrinks."""
    height, width = rgba.shape[:2]
    share = min(1.0, longest / max(height, width))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    alpha = Image.fromarray(rgba[..., 3]).resize(size, Image.Resampling.BOX)
    # Pillow shrinks RGBA by way of premultiplied colours.
    colour = Image.fromarray(rgba).resize(size, Image.Resampling.BOX)
    colour.putalpha(alpha)
    return colour


def embed(files: Iterable[Path], out: Path, longest: int = 320, quality: int = 92) -> int:
    """Write files as WebP below out, alpha without loss; returns their bytes."""
    total = 0
    for file in files:
        with Image.open(file) as picture:
            small = smaller(cropped(np.asarray(picture.convert("RGBA"))), longest)
        target = out / f"{file.stem}.webp"
        with atomic_write(target) as partial:
            small.save(partial, "WEBP", quality=quality, alpha_quality=100, method=6, exact=True)
        total += target.stat().st_size
    return total
