"""Checkpoint files that appear whole or not at all."""

import io
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

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
