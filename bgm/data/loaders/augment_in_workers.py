"""Augmentation ahead of the training, in the loader's workers, where the training is on a CPU."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import get_worker_info

from bgm.data.loaders.skip_broken import Faults, SkipBroken, SkipBrokenLoader
from bgm.types import Batch, Sample

BYTES = 40  # a pixel of a Batch: ten channels of float32
LIMIT = 1 << 24  # bytes of a batch: shared memory holds several, and a container has 64 MiB of it
BITS = 20  # of a size in pixels
Made = tuple[Batch, int] | None


class AugmentInWorkers:
    """Collates in a worker, and augments what it has collated, at the size last followed.

    augment: a function of the samples and its `setting` alone, with `resize` to set it. What was
    made at another setting than the present one is made again, by `chosen`: the batches are those
    of a loader without workers. The setting is one number in shared memory, never half of one.
    """

    def __init__(self, augment: Any, collate: Callable[[list[Sample]], tuple]) -> None:
        self.augment, self.collate = augment, collate
        self.wanted = torch.tensor([packed(augment.setting)]).share_memory_()

    def __call__(self, samples: list[Sample]) -> tuple[tuple[Sample, Made], list[str]]:
        sample, faults = self.collate(samples)
        wanted = int(self.wanted)
        size, low, high = unpacked(wanted)
        if get_worker_info() is None or len(samples) * size**2 * BYTES > LIMIT:
            return (sample, None), faults
        if self.augment.setting != (size, low, high):
            self.augment.resize(size, (low, high))
        return (sample, (self.augment(sample), wanted)), faults

    def follow(self) -> None:
        """Tell the workers of the present setting."""
        self.wanted.fill_(packed(self.augment.setting))

    def chosen(self, sample: Sample, made: Made) -> Sample | Batch:
        """What a worker made, unless the setting has changed since."""
        if made is None:
            return sample
        if made[1] == packed(self.augment.setting):
            return made[0]
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
        ahead = AugmentInWorkers(augment, dataset.collate)
        super().__init__(dataset, faults, collate_fn=ahead, **options)
        self.ahead = ahead

    def __iter__(self) -> Iterator[Sample | Batch]:  # type: ignore[override]
        self.ahead.follow()
        for sample, made in super().__iter__():
            yield self.ahead.chosen(sample, made)
            self.ahead.follow()  # the step may have been the last at this size


def packed(setting: tuple[int, int, int]) -> int:
    size, low, high = setting
    return (size << BITS | low) << BITS | high


def unpacked(number: int) -> tuple[int, int, int]:
    mask = (1 << BITS) - 1
    return number >> 2 * BITS, number >> BITS & mask, number & mask
