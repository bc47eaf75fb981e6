"""Augmentation in the processes that load, where batches are small: on a CPU it takes its time."""

import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import get_worker_info

from bgm.data.loaders.skip_broken import Faults, SkipBroken, SkipBrokenLoader
from bgm.types import Batch, Sample

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
