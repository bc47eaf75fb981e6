"""In what order draws come, over epochs, ranks, workers and resumed runs."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from bgm.errors import BadInput

SALT = 0x0D3  # keeps the order apart from other draws of the same seed
RAISED = f"{BadInput.__module__}.{BadInput.__qualname__}: "


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


class Loader(DataLoader):
    """A DataLoader whose BadInput arrives from a worker as the sentence it was."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names a private class
        # A generator: nothing is drawn before the first batch is asked for. Lightning makes the
        # iterator before it tells the sampler which epoch this is, and workers draw ahead.
        batches = super().__iter__()
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except BadInput as error:  # PyTorch glues the worker's traceback on in front
                raise BadInput(str(error).rsplit(RAISED, 1)[-1].strip()) from None
            yield batch


class ResumableLoader(Loader):
    """A Loader over a DrawSampler that can be continued in the middle of an epoch, to the batch.

    Lightning stores `state_dict` with every checkpoint and hands it to `load_state_dict` before the
    first batch of a resumed run. Counted are batches handed out, not those drawn ahead by workers.
    """

    _epoch, _handed_out = 0, 0  # where the run is
    _resume: dict | None = None  # where it was, until the first batch after loading

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names a private class
        self._epoch = getattr(self.sampler, "epoch", 0)
        self._handed_out = self._resumed_at(self._epoch)
        self._resume = None
        if isinstance(self.sampler, DrawSampler):  # not so under Lightning's `overfit_batches`
            self.sampler.start = self._handed_out * (self.batch_size or 1)
        for batch in super().__iter__():
            self._handed_out += 1
            yield batch

    def state_dict(self) -> dict:
        """The position, and what must be unchanged for it to have a meaning."""
        if self._resume is not None:
            return dict(self._resume)
        return {"epoch": self._epoch, "batches": self._handed_out, **self._order()}

    def load_state_dict(self, state: dict) -> None:
        """Go on from a position of `state_dict`; takes effect when iteration starts next."""
        self._resume = dict(state)
        if isinstance(self.sampler, DrawSampler):
            self.sampler.set_epoch(state["epoch"])

    def _order(self) -> dict:
        return {
            "length": getattr(self.sampler, "length", None),
            "seed": getattr(self.sampler, "seed", None),
            "shuffle": getattr(self.sampler, "shuffle", None),
            "world": getattr(self.sampler, "num_replicas", None),
            "batch_size": self.batch_size,
        }

    def _resumed_at(self, epoch: int) -> int:
        """Batches to pass over in this epoch; none when the stored position is another epoch's."""
        if self._resume is None or self._resume["epoch"] != epoch or not self._resume["batches"]:
            return 0
        changed = [
            f"{key} {self._resume[key]} -> {now}"
            for key, now in self._order().items()
            if self._resume[key] != now
        ]
        if changed:
            raise BadInput(
                f"cannot resume after batch {self._resume['batches']} of epoch {epoch}, the data "
                f"changed since: {', '.join(changed)}; restore it, or start anew from the weights"
            )
        return self._resume["batches"]
