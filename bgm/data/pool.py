"""Drawn pictures that are kept and met again, before several places each."""

import numpy as np
import torch
from torch.utils.data import Dataset

from bgm.data.interfaces import get_samples
from bgm.errors import BadInput, check_at_least
from bgm.types import Sample

SALT = 0x9001  # keeps pairs apart from other draws of the same seed


class Pool(Dataset[Sample]):
    """The first `size` samples of a dataset, each subject before its own or another's background.

    own: probability that a subject keeps the background it was made with, whose colours it may
    wear. length: samples an epoch. A sample is a pure function of (seed, draw) if the dataset's
    are. Made on first use and kept in memory, size * (7 bytes * H * W) in each worker.
    Raises BadInput for size or length below 1, and for an own that is no probability.
    """

    def __init__(
        self, dataset: Dataset[Sample], size: int, length: int, seed: int, own: float = 0.3
    ) -> None:
        check_at_least("a pool", 1, size=size, length=length)
        check_at_least("a pool", 0, seed=seed)
        if not 0 <= own <= 1:
            raise BadInput(f"a pool has own {own}, expected 0..1")
        self.dataset, self.size, self.length = dataset, size, length
        self.seed, self.own = seed, own
        self._made: dict[int, Sample] = {}

    def __len__(self) -> int:
        return self.length

    def pair(self, draw: int) -> tuple[int, int]:
        """Which subject and which background of the pool a draw brings together."""
        rng = np.random.default_rng([SALT, self.seed, draw])
        subject, other = (int(n) for n in rng.integers(self.size, size=2))
        return subject, subject if rng.random() < self.own else other

    def __getitem__(self, draw: int) -> Sample:
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: list[int]) -> list[Sample]:
        """The samples of these draw numbers; what the pool lacks is made in one batch."""
        pairs = [self.pair(draw) for draw in draws]
        wanted = sorted({n for pair in pairs for n in pair} - self._made.keys())
        self._made.update(zip(wanted, get_samples(self.dataset, wanted), strict=True))
        return [
            self._made[subject]._replace(bgr=self._made[bgr].bgr, draw=torch.tensor(draw))
            for draw, (subject, bgr) in zip(draws, pairs, strict=True)
        ]
