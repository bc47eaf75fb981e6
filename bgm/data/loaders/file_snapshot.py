"""The files that a training began with, so that a resumed one goes on with the same."""

import logging
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from torch.utils.data import Dataset

from bgm.data.interfaces import HasFileSnapshot, SubjectSource
from bgm.errors import BadInput
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
        inner = file_snapshots(part) if isinstance(part, Dataset | SubjectSource) else {}
        if isinstance(part, HasFileSnapshot):
            snapshots[name] = {"snapshot": part.file_snapshot()._asdict()}
        elif inner:
            snapshots[name] = inner
    return snapshots
