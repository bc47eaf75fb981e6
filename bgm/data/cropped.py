"""Subjects in close, middle and full shots, cut out of pictures that show more of them."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bgm.data.folders import Subjects
from bgm.errors import BadInput

SALT = 0xC409
SEEN = 12  # alpha (of 255) from which a pixel is the subject's
HEADS = 0.6  # share of the crops that begin above the subject's highest point


class CroppedSubjects(Subjects):
    """Square crops of the subjects of a folder, `each` of them a picture.

    zoom: how many times smaller than the subject's longer side the crop is, log-uniform in this
    range; 1 shows all of it. Crops lie inside the picture, so that no subject ends in mid-air which
    the picture's border has cut. A crop is a function of (seed, index). The rest as in `Subjects`.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        each: int = 8,
        zoom: tuple[float, float] = (0.9, 3.0),
        seed: int = 0,
        **options: Any,
    ) -> None:
        if each < 1 or not 0 < zoom[0] <= zoom[1]:
            raise BadInput(f"crops need each >= 1 and a range zoom above 0, found {each}, {zoom}")
        self.zoom, self.seed = (float(zoom[0]), float(zoom[1])), seed
        self.each = 1  # while the pictures are looked at
        super().__init__(root, **options)
        self.each = each

    def __len__(self) -> int:
        return len(self.stems) * self.each

    def describe(self) -> dict:
        """What tells these subjects from others."""
        return super().describe() | {"each": self.each, "zoom": self.zoom, "seed": self.seed}

    def open(self, index: int, short: int | None = None) -> Image.Image:
        """One crop as an "RGBA" picture, straight alpha."""
        picture = super().open(index // self.each)
        rng = np.random.default_rng([SALT, self.seed, index])
        zoom = float(np.exp(rng.uniform(*np.log(self.zoom))))
        at, across, head = rng.random(), rng.random(), rng.random() < HEADS
        alpha = picture.getchannel("A").point([0] * SEEN + [255] * (256 - SEEN))
        left, top, right, bottom = alpha.getbbox() or (0, 0, *picture.size)
        long = max(right - left, bottom - top)
        side = max(1, min(round(long / zoom), *picture.size))
        # Where the crop's middle lies, from a quarter to three quarters of the subject's width.
        x = left + (0.25 + 0.5 * across) * (right - left) - side / 2
        slack = bottom - top - side
        y = top - 0.15 * side * at if head or slack <= 0 else top + at * slack
        x, y = (
            min(max(0, round(v)), length - side)
            for v, length in zip((x, y), picture.size, strict=True)
        )
        return picture.crop((x, y, x + side, y + side))
