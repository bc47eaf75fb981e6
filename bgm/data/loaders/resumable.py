"""What a resumed run goes on with: the order of draws, to the batch, and the files it had."""

import gc
import logging
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from bgm.data.interfaces import SubjectSource
from bgm.errors import BadInput, lost_worker
from bgm.pictures import Member

LOG = logging.getLogger("bgm.data")
INSTEAD = "put it back, or take what is there now with resume_changed=allow"


class FileSnapshot(NamedTuple):
    """What a folder of pictures, shards or clips held when a training began, in its order.

    The order of a training and its choice of backgrounds follow the number of items: with this a
    file that has gone since stays an item that cannot be read, as in a run that was not stopped.
    """

    stems: list[str]  # the items
    endings: dict[str, list[str]]  # kind ("fgr") -> what follows the stem in each file's name
    sizes: dict[str, list[int]]  # kind -> bytes of each file, 0 where that was not known

    def apply_to(
        self, files: Mapping[str, Mapping[str, Path]], folders: Mapping[str, str | Path]
    ) -> dict[str, dict[str, Path]]:
        """The files of every kind (stem -> file) that are there, the others in their places.

        Files that came since are left out. Both are named in the log, the first of them. Raises
        BadInput when there are other kinds of files now.
        """
        whole = {}
        for kind, endings in self.endings.items():
            if kind not in files:
                now = ", ".join(files)
                raise BadInput(f"this run began with {kind} files, {folders} has {now} now")
            there, folder = files[kind], Path(folders[kind])
            named = zip(self.stems, endings, strict=True)
            whole[kind] = {s: there.get(s) or folder / (s + ending) for s, ending in named}
            gone = [path for stem, path in whole[kind].items() if stem not in there]
            came = [path for stem, path in there.items() if stem not in whole[kind]]
            for paths, what in ((gone, "has gone{}: a bad file"), (came, "is new{}: left out")):
                if paths:
                    LOG.warning("%s %s", paths[0], what.format(_since(paths)))
        return whole

    def check_same(self, stems: Sequence[str], where: str | Path) -> None:
        """Raise BadInput, naming the first that is missing or new, unless the stems are the same.

        For shards and clips, which hold more than a training may lose.
        """
        before, now = set(self.stems), set(stems)
        for word, differ in (("has gone", before - now), ("is new", now - before)):
            if differ:
                raise BadInput(f"{where}: {min(differ)} {word}{_since(differ)}: {INSTEAD}")


def _since(names: Collection) -> str:
    more = f", and {len(names) - 1} more" if len(names) > 1 else ""
    return f" since this run began{more}"


def take_snapshot(
    stems: list[str], files: Mapping[str, Sequence], before: FileSnapshot | None
) -> FileSnapshot:
    """What is there now, as files of every kind in the order of the stems; before: at the start."""
    sizes, endings = {}, {}
    for kind, paths in files.items():
        endings[kind] = [sys.intern(Path(str(path)).suffix) for path in paths]
        sizes[kind] = list(before.sizes[kind]) if before is not None else [0] * len(paths)
        for i, path in enumerate(paths):
            with suppress(FileNotFoundError):
                is_member = isinstance(path, Member)
                sizes[kind][i] = path.size if is_member else Path(path).stat().st_size
    return FileSnapshot(stems, endings, sizes)


def file_snapshots(data: Any) -> dict[str, Any]:
    """What every part of some data began with, by the names of the attributes that lead there.

    data: a dataset or a datamodule. {"train": {"subjects": {"snapshot": ...}}}, for instance: the
    keywords that make the same data again. Parts without files on disk are not in it.
    """
    snapshots: dict[str, Any] = {}
    for name, part in vars(data).items():
        own = getattr(part, "file_snapshot", None)
        inner = file_snapshots(part) if isinstance(part, Dataset | SubjectSource) else {}
        if own is not None:
            snapshots[name] = {"snapshot": own()._asdict()}
        elif inner:
            snapshots[name] = inner
    return snapshots


SALT = 0x0D3  # keeps the order apart from other draws of the same seed
RAISED = f"{BadInput.__module__}.{BadInput.__qualname__}: "  # before its sentence


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
