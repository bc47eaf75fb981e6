"""Checkpoint files that appear whole or not at all; broken ones are noticed, whole ones found."""

import io
import logging
import os
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from bgm.errors import BadInput

LOG = logging.getLogger("bgm.train")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its name, then renames: a killed run leaves no half of one.

    Lightning's own writes to the system's temporary folder and copies when that is another file
    system. keep_before: names of which the file before stays as NAME-previous.ckpt. A file that
    cannot be written (disk full) is a warning, and its reason is in `failed` until it is written:
    only one process writes, so an error here would leave the others waiting.
    """

    def __init__(self, keep_before: Sequence[str] = ("last.ckpt",)) -> None:
        self.keep_before = tuple(keep_before)
        self.failed: dict[str, str] = {}

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        path = Path(path)
        partial = path.with_name(f".{path.name}.part")  # no process id: the next one overwrites it
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(checkpoint, partial)
            if path.name in self.keep_before and path.exists():
                keep(path, previous_name(path))
            os.replace(partial, path)
            self.failed.pop(str(path), None)
        except OSError as error:
            partial.unlink(missing_ok=True)
            self.failed[str(path)] = error.strerror or str(error)
            kept = "what was there is kept, " if path.exists() else ""
            why = self.failed[str(path)]
            LOG.warning("%s could not be written (%s): %straining goes on", path, why, kept)


def write(checkpoint: dict[str, Any], path: Path) -> None:
    """Write a checkpoint and wait until it is on the disk; raises OSError."""
    content = io.BytesIO()  # PyTorch's own writer turns a full disk into an assertion of its own
    torch.save(checkpoint, content)
    with open(path, "wb") as file:
        file.write(content.getbuffer())
        file.flush()
        os.fsync(file.fileno())


def keep(path: Path, name: Path) -> None:
    """Give a file a second name in one step, so that it is never without one."""
    link = name.with_name(f".{name.name}.part")
    try:
        link.unlink(missing_ok=True)
        os.link(path, link)
        os.replace(link, name)
    except OSError:  # a file system without hard links
        os.replace(path, name)


def previous_name(path: Path) -> Path:
    """The name under which the checkpoint before this one is kept."""
    return path.with_name(f"{path.stem}-previous{path.suffix}")


def newest_checkpoint(folder: Path) -> Path | None:
    """The whole checkpoint of most steps in a run's folder, broken ones named in the log."""
    found = [p for p in sorted(folder.glob("*.ckpt")) if is_whole(p)]
    return max(found, key=lambda p: (steps(p), p.name == "last.ckpt"), default=None)


def checkpoint_to_resume(path: str | Path) -> Path:
    """The checkpoint to go on from: path, or the one before it when it is broken; of a folder, the
    newest whole one. Raises BadInput when there is none."""
    path = Path(path)
    if path.is_dir():
        found = newest_checkpoint(path)
        if found is None:
            raise BadInput(f"folder {path} holds no whole checkpoint (*.ckpt) to resume")
        return found
    before = previous_name(path)
    if path.is_file() and is_whole(path):
        return path
    if before.is_file() and is_whole(before):
        state = "is broken" if path.exists() else "is not there"
        LOG.warning("%s %s: going on from %s, step %d", path, state, before, steps(before))
        return before
    return path  # whoever reads it says what is wrong with it


def is_whole(path: Path) -> bool:
    """Whether a checkpoint can be read; why not goes to the log. PyTorch checks no checksums."""
    try:
        with zipfile.ZipFile(path) as file:
            bad = file.testzip()
        reason = f"checksum of {bad} is wrong" if bad else ""
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        reason = f"{path.stat().st_size} bytes, {str(error).rstrip('.').lower()}"
    if reason:
        LOG.warning("%s is broken (%s)", path, reason)
    return not reason


def steps(path: Path) -> int:
    """How many steps a checkpoint has seen; -1 for a file of another kind."""
    return int(read_lazily(path).get("global_step", -1))


def read_lazily(path: Path) -> dict[str, Any]:
    """A checkpoint, its tensors left on the disk until they are used; {} for other files."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, ValueError, OSError, EOFError, pickle.UnpicklingError):
        return {}
    return content if isinstance(content, dict) else {}
