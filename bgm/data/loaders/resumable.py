"""Loaders that outlive their workers, and that a resumed run continues to the batch."""

import inspect
import logging
import signal
import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.data._utils import signal_handling

from bgm.data.loaders.sampler import DrawSampler, ShardSampler
from bgm.errors import BadInput

LOSSES = 3  # of workers, without a batch in between: something is wrong with the machine
MAY_SIGNAL = hasattr(signal, "SIGCHLD")
LOG = logging.getLogger("bgm.data")
RAISED = f"{BadInput.__module__}.{BadInput.__qualname__}: "


class Loader(DataLoader):
    """A DataLoader whose BadInput arrives from a worker as the sentence it was, and that outlives
    its workers: when one is killed they are made anew, and go on after the last batch handed out.

    The sampler's `start` passes over that many of its draws, so the batches stay the same.
    """

    _handed_out = 0  # batches of this epoch

    def __init__(self, *args: Any, **options: Any) -> None:
        # Workers are seeded out of a generator of their own: how often a loader was started must
        # not show in the random numbers of the training. No draw here depends on it.
        options.setdefault("generator", torch.Generator())
        super().__init__(*args, **options)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names a private class
        # A generator: nothing is drawn before the first batch is asked for. Lightning makes the
        # iterator before it tells the sampler which epoch this is, and workers draw ahead.
        done = self._first_batch()
        losses = 0  # in a row
        while True:
            self._start_at(done)
            try:
                for batch in self._batches():
                    done, losses = done + 1, 0
                    self._handed_out = done
                    yield batch
                return
            except (RuntimeError, OSError, EOFError) as error:
                if self.num_workers == 0 or not of_a_lost_worker(error):
                    raise
                losses += 1
                self._forget_workers(str(error), done, losses)

    def _first_batch(self) -> int:
        """How many batches to pass over."""
        return 0

    def _start_at(self, batches: int) -> None:
        if isinstance(self.sampler, DrawSampler | ShardSampler):
            self.sampler.start = batches * (self.batch_size or 1)

    def _batches(self) -> Iterator[Any]:
        batches = super().__iter__()
        lost_workers_wait_for_next()
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except BadInput as error:  # PyTorch glues the worker's traceback on in front
                raise BadInput(str(error).rsplit(RAISED, 1)[-1].strip()) from None
            yield batch

    def _forget_workers(self, what: str, done: int, losses: int) -> None:
        lost_workers_wait_for_next()
        said = what.splitlines()[0].rstrip(".") if what else "end of file"
        if losses >= LOSSES:
            raise BadInput(
                f"a worker was lost {losses} times in a row after batch {done} ({said}): often "
                f"memory or shared memory ran out; lower workers (now {self.num_workers}) or "
                f"batch_size (now {self.batch_size})"
            )
        LOG.warning("a worker was lost (%s) after batch %d: new ones go on from there", said, done)
        iterator, self._iterator = self._iterator, None
        if iterator is not None:
            iterator._shutdown_workers()


def lost_workers_wait_for_next() -> None:
    """Take PyTorch's SIGCHLD handler away, whichever loader of the process had it installed.

    It raises wherever the main process happens to be: in the middle of a step, or while the workers
    that are left are sent home. Without it a loss is noticed within seconds, in `next`.
    """
    if not MAY_SIGNAL or threading.current_thread() is not threading.main_thread():
        return
    handler = signal.getsignal(signal.SIGCHLD)
    if getattr(handler, "__module__", None) == signal_handling.__name__:
        before = inspect.getclosurevars(handler).nonlocals.get("previous_handler")
        signal.signal(signal.SIGCHLD, before or signal.SIG_DFL)


def of_a_lost_worker(error: Exception) -> bool:
    """Whether an error of PyTorch's loader means that a worker has gone.

    What a dataset raised in a worker comes as "Caught ... in DataLoader worker process".
    """
    said = str(error)
    if said.startswith("Caught "):
        return "in pin memory thread" in said.splitlines()[0] and "Connection" in said
    if isinstance(error, RuntimeError):
        return said.startswith(("DataLoader worker (pid", "Pin memory thread exited"))
    # Killed while it handed a tensor over.
    return isinstance(error, ConnectionError | EOFError | FileNotFoundError)


class ResumableLoader(Loader):
    """A Loader over a DrawSampler that can be continued in the middle of an epoch, to the batch.

    Lightning stores `state_dict` with every checkpoint and hands it to `load_state_dict` before the
    first batch of a resumed run. Counted are batches handed out, not those drawn ahead by workers.
    """

    _epoch = 0
    _resume: dict | None = None  # where it was, until the first batch after loading

    def _first_batch(self) -> int:
        self._epoch = getattr(self.sampler, "epoch", 0)
        self._handed_out = self._resumed_at(self._epoch)
        self._resume = None
        return self._handed_out

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
