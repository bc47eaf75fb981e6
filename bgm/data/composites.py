"""Subjects and backgrounds brought together: a dataset of Samples, and how they are batched."""

import numpy as np
import torch
from torch.utils.data import Dataset

from bgm.data.interfaces import BackgroundSource, SubjectSource
from bgm.errors import check_at_least
from bgm.types import Sample

SALT = 0xB6D  # keeps the choice of backgrounds apart from other draws of the same seed


class Composites(Dataset[Sample]):
    """Dataset of Samples: every subject with another background in every epoch.

    size: pixels of the subject's short side and of the square background. Every subject comes
    repeat times in an epoch.
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
