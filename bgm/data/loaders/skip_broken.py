"""Training loaders: another draw for one that cannot be read; on a CPU workers augment, too."""

import logging
import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, get_worker_info

from bgm.data.composites import collate
from bgm.data.interfaces import get_samples
from bgm.data.loaders.resumable import ResumableLoader
from bgm.errors import BadInput
from bgm.types import Batch, Sample

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


BYTES = 40  # a pixel of a Batch: ten channels of float32
LIMIT = 1 << 24  # bytes of a batch: shared memory holds several, and a container has 64 MiB of it
Augmented = tuple[Batch, tuple[int, ...]] | None  # and the setting: size, least and largest crop


class AugmentInWorkers:
    """Collates in a worker, and augments what it has collated, at the size that is set.

    augment: a `ResizableAugment`. What was augmented at another setting than the present one is
    augmented again, by `choose`: the batches are those of a loader without workers.
    """

    def __init__(self, augment: Any, collate: Callable[[list[Sample]], tuple]) -> None:
        self.augment, self.collate = augment, collate
        self.setting = multiprocessing.Array("q", augment.setting)  # a slice holds its lock

    def __call__(self, samples: list[Sample]) -> tuple[tuple[Sample, Augmented], list[str]]:
        sample, faults = self.collate(samples)
        size, low, high = setting = tuple(self.setting[:])
        if get_worker_info() is None or len(samples) * size**2 * BYTES > LIMIT:
            return (sample, None), faults
        if self.augment.setting != setting:
            self.augment.resize(size, (low, high))
        return (sample, (self.augment(sample), setting)), faults

    def share_setting(self) -> None:
        """Let the workers know the present setting."""
        self.setting[:] = self.augment.setting

    def choose(self, sample: Sample, augmented: Augmented) -> Sample | Batch:
        """What a worker augmented, unless the setting has changed since."""
        if augmented is None:
            return sample
        if augmented[1] == self.augment.setting:
            return augmented[0]
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as in a worker: sums over a picture depend on it, in a last bit
        try:
            return self.augment(sample)
        finally:
            torch.set_num_threads(threads)


class WorkerAugmentLoader(SkipBrokenLoader):
    """A SkipBrokenLoader of Batches augmented in its workers; of Samples where they are large.

    The draws of an augmentation are a function of the sample's number: values and order are those
    of a SkipBrokenLoader whose Samples are augmented in the training process, on one thread.
    """

    def __init__(self, dataset: SkipBroken, faults: Faults, augment: Any, **options: Any) -> None:
        in_workers = AugmentInWorkers(augment, dataset.collate)
        super().__init__(dataset, faults, collate_fn=in_workers, **options)
        self.in_workers = in_workers

    def __iter__(self) -> Iterator[Sample | Batch]:  # type: ignore[override]
        self.in_workers.share_setting()
        pairs: Any = super().__iter__()
        for sample, augmented in pairs:
            yield self.in_workers.choose(sample, augmented)
            self.in_workers.share_setting()  # the step may have been the last at this size
