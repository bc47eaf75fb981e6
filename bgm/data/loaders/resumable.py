"""Loaders whose workers' errors are sentences, and that go on amid an epoch, to the batch."""

import gc
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from bgm.data.loaders.sampler import DrawSampler
from bgm.errors import BadInput, lost_worker

RAISED = f"{BadInput.__module__}.{BadInput.__qualname__}: "  # before its sentence


class Loader(DataLoader):
    """A DataLoader whose BadInput arrives from a worker as the sentence it was.

    A worker that is lost is BadInput: what is started anew goes on with resume=.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        # Workers are seeded out of a generator of their own: how often a loader was started must
        # not show in the random numbers of the training. No draw here depends on it.
        options.setdefault("generator", torch.Generator())
        super().__init__(*args, **options)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names a private class
        # A generator: nothing is drawn before the first batch is asked for. Lightning makes the
        # iterator before it tells the sampler which epoch this is, and workers draw ahead.
        try:
            yield from self._started()
        except BadInput as error:  # PyTorch glues the worker's traceback on in front
            raise BadInput(str(error).rsplit(RAISED, 1)[-1].strip()) from None
        except (RuntimeError, OSError, EOFError) as error:
            # What a dataset raises in a worker is "Caught ... in DataLoader worker process".
            if self.num_workers == 0 or str(error).startswith("Caught "):
                raise
            raise BadInput(lost_worker(error)) from None

    def _started(self) -> Iterator[Any]:
        """PyTorch's iterator; its workers never collect what this process has left lying about.

        FFmpeg's decoders, say, wait for their threads when they are freed, and a forked process has
        none of its parent's threads: it would wait for ever.
        """
        gc.freeze()
        try:
            return super().__iter__()
        finally:
            gc.unfreeze()


class ResumableLoader(Loader):
    """A Loader over a DrawSampler that can be continued in the middle of an epoch, to the batch.

    Lightning stores `state_dict` with every checkpoint and hands it to `load_state_dict` before the
    first batch of a resumed run. Counted are batches handed out, not those drawn ahead by workers.
    With another sampler (Lightning's overfit_batches puts one in) every epoch starts anew.
    """

    _epoch = 0
    _handed_out = 0  # batches of this epoch
    _resume: dict | None = None  # where it was, until the first batch after loading

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        self._handed_out = 0
        if isinstance(self.sampler, DrawSampler):
            self._epoch = self.sampler.epoch
            self._handed_out = self._batches_to_skip(self.sampler)
            self.sampler.start = self._handed_out * (self.batch_size or 1)
        self._resume = None
        for batch in super().__iter__():
            self._handed_out += 1
            yield batch

    def state_dict(self) -> dict:
        """The position, and what must be unchanged for it to have a meaning."""
        here = {"epoch": self._epoch, "batches": self._handed_out, **self._order()}
        return here if self._resume is None else dict(self._resume)

    def load_state_dict(self, state: dict) -> None:
        """Go on from a position of `state_dict`; takes effect when iteration starts next."""
        self._resume = dict(state)
        if isinstance(self.sampler, DrawSampler):
            self.sampler.set_epoch(state["epoch"])

    def _order(self) -> dict:
        sampler = self.sampler
        if not isinstance(sampler, DrawSampler):
            return {}
        order = {"length": sampler.length, "seed": sampler.seed, "shuffle": sampler.shuffle}
        return order | {"world": sampler.num_replicas, "batch_size": self.batch_size}

    def _batches_to_skip(self, sampler: DrawSampler) -> int:
        """Batches to pass over in this epoch; none when the stored position is another epoch's."""
        stored = self._resume
        if stored is None or stored["epoch"] != sampler.epoch or not stored["batches"]:
            return 0
        now = self._order()
        changed = [f"{key} {stored[key]} -> {now[key]}" for key in now if stored[key] != now[key]]
        if changed:
            raise BadInput(
                f"cannot resume after batch {stored['batches']} of epoch {sampler.epoch}, the data "
                f"changed since: {', '.join(changed)}; restore it, or start anew from the weights"
            )
        return stored["batches"]
