"""Subjects in close, middle and full shots, cut out of pictures that show more of them."""

import numpy as np
from PIL import Image

from bgm.data.interfaces import SubjectSource
from bgm.errors import BadInput

SALT = 0xC409
SEEN = 12  # alpha (of 255) from which a pixel is the subject's
HEADS = 0.6  # share of the crops that begin above the subject's highest point


class CroppedSubjects(SubjectSource):
    """Square crops of other subjects, `each` of them a picture.

    zoom: how many times smaller than the subject's longer side the crop is, log-uniform in this
    range; 1 shows all of it. Crops lie inside the picture, so that no subject ends in mid-air which
    the picture's border has cut. A crop is a function of (seed, index).
    """

    def __init__(
        self,
        subjects: SubjectSource,
        each: int = 8,
        zoom: tuple[float, float] = (0.9, 3.0),
        seed: int = 0,
    ) -> None:
        if each < 1 or not 0 < zoom[0] <= zoom[1]:
            raise BadInput(f"crops need each >= 1 and a range zoom above 0, found {each}, {zoom}")
        self.subjects, self.each, self.seed = subjects, each, seed
        self.zoom = float(zoom[0]), float(zoom[1])
        self.has_fgr = subjects.has_fgr

    def __len__(self) -> int:
        return len(self.subjects) * self.each

    def name(self, index: int) -> str:
        """That of the subject, and which crop of it."""
        return f"{self.subjects.name(index // self.each)}-{index % self.each}"

    def open(self, index: int, short: int | None = None) -> Image.Image:
        """One crop as an "RGBA" picture, straight alpha."""
        picture = self.subjects.open(index // self.each)
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
