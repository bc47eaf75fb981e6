"""The order of draws of a training, and the shares of a set, for each process."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data.distributed import DistributedSampler

SALT = 0x0D3  # keeps the order apart from other draws of the same seed


class DrawSampler(DistributedSampler):
    """Yields draw numbers epoch * length + index; the order is a function of (seed, epoch) only.

    Ranks take turns in one common order and get equally many; the ragged end is dropped, another
    one in every epoch when shuffled. start: how many of this rank's draws to pass over (a resumed
    run); the length stays that of a whole epoch. It is a DistributedSampler in name, so that
    Lightning leaves it alone whatever `use_distributed_sampler` says.
    """

    def __init__(
        self, length: int, seed: int = 0, shuffle: bool = True, rank: int = 0, world: int = 1
    ) -> None:
        items: Any = range(length)  # only its length is looked at
        super().__init__(items, world, rank, shuffle=shuffle, seed=seed, drop_last=True)
        self.length, self.start = length, 0

    def __iter__(self) -> Iterator[int]:
        length, world = self.length, self.num_replicas
        order = np.arange(length)
        if self.shuffle:
            order = np.random.default_rng([SALT, self.seed, self.epoch]).permutation(length)
        mine = order[self.rank : len(self) * world : world]
        return iter((self.epoch * length + mine[self.start :]).tolist())

    def __len__(self) -> int:
        return self.length // self.num_replicas


class ShardSampler(DistributedSampler):
    """Yields each index of a rank's strided share, in order; shares differ by one at most."""

    def __init__(self, length: int, rank: int = 0, world: int = 1) -> None:
        items: Any = range(length)
        super().__init__(items, world, rank, shuffle=False)
        self.share = range(rank, length, world)

    def __iter__(self) -> Iterator[int]:
        return iter(self.share)

    def __len__(self) -> int:
        return len(self.share)
