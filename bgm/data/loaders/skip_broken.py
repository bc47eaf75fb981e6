"""Training loaders: another draw of the epoch for one that cannot be read."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from bgm.data.composites import collate
from bgm.data.interfaces import get_samples
from bgm.data.loaders.resumable import ResumableLoader
from bgm.errors import BadInput
from bgm.types import Sample

SALT = 0x5A7E  # keeps the choice of replacements apart from other draws of the same seed
TRIES = 8  # draws tried in the place of one: if all are bad, the data are
LOG = logging.getLogger("bgm.data")


class SkipBroken(Dataset[Sample]):
    """A dataset of Samples whose unreadable draws are replaced by others of the same epoch.

    The replacement is a function of (seed, draw) alone, and keeps the number of the draw that it
    replaces, so that augmentation and order stay as they are. What went wrong is kept in `faults`
    until `collate` takes it along. Raises BadInput when `TRIES` replacements are bad, too.
    """

    def __init__(self, dataset: Dataset[Sample], seed: int = 0) -> None:
        self.dataset, self.seed = dataset, seed
        self.faults: list[str] = []

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type] # any dataset of a sampler has a length

    def __getitem__(self, draw: int) -> Sample:
        tried = [draw, *replacements(draw, len(self), self.seed)]
        for other in tried:
            try:
                return self.dataset[other]._replace(draw=torch.tensor(draw))
            except BadInput as error:
                self.faults.append(str(error))
        n = len(tried)
        raise BadInput(f"{n} of {n} draws cannot be read, the last one: {self.faults[-1]}")

    def __getitems__(self, draws: list[int]) -> list[Sample]:
        """Many draws at once, where the dataset makes them so; one by one when one is bad."""
        try:
            return get_samples(self.dataset, draws)
        except BadInput:
            return [self[draw] for draw in draws]

    def collate(self, samples: list[Sample]) -> tuple[Sample, list[str]]:
        """Batched Samples, and what went wrong in this process since the batch before."""
        faults, self.faults = self.faults, []
        return collate(samples), faults


def replacements(draw: int, length: int, seed: int) -> list[int]:
    """Draws of the same epoch to try in the place of one, in this order."""
    if length == 1:
        return []
    epoch, index = divmod(draw, length)
    offsets = np.random.default_rng([SALT, seed, draw]).integers(1, length, TRIES)
    return [epoch * length + (index + int(offset)) % length for offset in offsets]


class Faults:
    """Counts what could not be read, names each once, and raises BadInput beyond the limit.

    limit: different faults that a training bears, on each process; 0 bears none.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.seen: dict[str, int] = {}  # sentence -> times met

    def add(self, faults: list[str]) -> None:
        """Take over the faults of one batch."""
        for fault in faults:
            if fault not in self.seen:
                LOG.warning("%s: another sample takes its place", fault)
            self.seen[fault] = self.seen.get(fault, 0) + 1
        if len(self.seen) > self.limit:
            shown = "; ".join(list(self.seen)[:10])
            raise BadInput(
                f"{len(self.seen)} different faults in the training data, at most {self.limit} "
                f"are tolerated (bad_files): {shown}"
            )


class SkipBrokenLoader(ResumableLoader):
    """A ResumableLoader over a SkipBroken dataset; what its workers met is counted in `faults`."""

    def __init__(self, dataset: SkipBroken, faults: Faults, **options: Any) -> None:
        super().__init__(dataset, **{"collate_fn": dataset.collate} | options)
        self.faults = faults

    def __iter__(self) -> Iterator[Sample]:  # type: ignore[override]  # torch names a private class
        for batch, faults in super().__iter__():
            self.faults.add(faults)
            yield batch
