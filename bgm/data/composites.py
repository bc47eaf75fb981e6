"""Subjects and backgrounds brought together, cropped or whole; and how Samples are batched."""

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from bgm.data.interfaces import BackgroundSource, SubjectSource
from bgm.errors import BadInput, check_at_least
from bgm.types import Sample

CROP_SALT = 0xC409
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
        check_at_least("crops", 0, seed=seed)
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
        rng = np.random.default_rng([CROP_SALT, self.seed, index])
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


SALT = 0xB6D  # keeps the choice of backgrounds apart from other draws of the same seed


class Composites(Dataset[Sample]):
    """Dataset of Samples: every subject with another background in every epoch.

    size: pixels of the subject's short side and the background's. repeat: of subjects an epoch.
    """

    def __init__(
        self,
        subjects: SubjectSource,
        backgrounds: BackgroundSource,
        size: int,
        seed: int = 0,
        repeat: int = 1,
    ) -> None:
        check_at_least("composites", 1, size=size, repeat=repeat)
        check_at_least("composites", 0, seed=seed)
        self.subjects, self.backgrounds = subjects, backgrounds
        self.size, self.seed, self.repeat = size, seed, repeat

    def __len__(self) -> int:
        return len(self.subjects) * self.repeat

    def background_of(self, draw: int) -> int:
        """The background of a draw: an item meets all of them before it meets one again."""
        epoch, index = divmod(draw, len(self))
        deck, card = divmod(epoch, len(self.backgrounds))
        order = np.random.default_rng([SALT, self.seed, index, deck])
        return int(order.permutation(len(self.backgrounds))[card])

    def __getitem__(self, draw: int) -> Sample:
        pha, fgr = self.subjects.read(draw % len(self) % len(self.subjects), self.size)
        bgr = self.backgrounds.read(self.background_of(draw), self.size)
        return Sample(pha, fgr, bgr, torch.tensor(self.subjects.has_fgr), torch.tensor(draw))


def collate(samples: list[Sample]) -> Sample:
    """Stack Samples to one with a leading B; smaller subjects are centred on the largest canvas.

    The canvas around them has alpha 0 and the colours of their borders. Backgrounds have one size.
    """
    H = max(sample.pha.shape[-2] for sample in samples)
    W = max(sample.pha.shape[-1] for sample in samples)
    padded = [_centre(sample, H, W) for sample in samples]
    return Sample(*(torch.stack(field) for field in zip(*padded, strict=True)))


def _centre(sample: Sample, H: int, W: int) -> Sample:
    h, w = sample.pha.shape[-2:]
    if (h, w) == (H, W):
        return sample
    top, left = (H - h) // 2, (W - w) // 2
    around = ((0, 0), (top, H - h - top), (left, W - w - left))
    pha, fgr = np.pad(sample.pha, around), np.pad(sample.fgr, around, mode="edge")
    return sample._replace(pha=torch.from_numpy(pha), fgr=torch.from_numpy(fgr))
