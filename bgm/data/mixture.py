"""Samples of several datasets in one, as fine-tuning keeps the old among the new."""

from typing import Any

import torch
from torch.utils.data import Dataset

from bgm.data.interfaces import get_samples
from bgm.errors import BadInput
from bgm.types import Sample

SizedDataset = Any  # a Dataset[Sample] with a length


class Mixture(Dataset[Sample]):
    """Every item of the new dataset once in an epoch, and so many old ones that they make up share.

    share: of the old ones in an epoch, in [0, 1); the nearest that whole items allow, where share
    is above 0 at least one. The old dataset goes on from epoch to epoch through its own draws. A
    sample is a function of its draw alone if those of both datasets are, and carries that draw.
    Raises BadInput for another share, and for an old dataset that is empty.
    """

    def __init__(self, new: SizedDataset, old: SizedDataset | None, share: float) -> None:
        if not 0 <= share < 1:
            raise BadInput(f"the share of old samples is {share}, expected 0 <= share < 1")
        if share > 0 and (old is None or len(old) == 0):
            raise BadInput(f"a share of {share} old samples needs old data, found none")
        self.new, self.old, self.share = new, old, share
        self.count = max(1, round(len(new) * share / (1 - share))) if share else 0

    def __len__(self) -> int:
        return len(self.new) + self.count

    @property
    def mixed(self) -> dict[str, SizedDataset]:
        """The datasets that are trained on, by what they are here."""
        return {"new": self.new} | ({"old": self.old} if self.count else {})

    def place(self, draw: int) -> tuple[str, int]:
        """Which dataset a draw comes from, and which draw of that one it is."""
        epoch, index = divmod(draw, len(self))
        if index < len(self.new):
            return "new", epoch * len(self.new) + index
        return "old", epoch * self.count + index - len(self.new)

    def __getitem__(self, draw: int) -> Sample:
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: list[int]) -> list[Sample]:
        """The samples of these draws; each dataset makes its own in one go where it can."""
        places = [self.place(draw) for draw in draws]
        made: dict[tuple[str, int], Sample] = {}
        for name, dataset in self.mixed.items():
            wanted = [place for place in places if place[0] == name]
            samples = get_samples(dataset, [number for _, number in wanted])
            made |= dict(zip(wanted, samples, strict=True))
        # Its own number here: augmentation is drawn from it, and both datasets count from 0.
        return [
            made[place]._replace(draw=torch.tensor(draw))
            for place, draw in zip(places, draws, strict=True)
        ]
