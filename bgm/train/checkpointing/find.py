"""Which checkpoint a run goes on from: broken files are noticed, the newest whole one is found."""

import logging
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from bgm.errors import BadInput
from bgm.train.checkpointing.atomic_io import previous_name

LOG = logging.getLogger("bgm.train")


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
