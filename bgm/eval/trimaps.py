"""Trimaps of scenes: files beside them, or made of the truth by the paper's rule."""

from pathlib import Path

import numpy as np

from bgm.errors import BadInput
from bgm.pictures import find_pictures, read_picture
from bgm.trimap import RULE, trimap_of


class Trimaps:
    """Call with a scene's name and its truth (H, W) uint8 to get its trimap (H, W) uint8.

    folder: trimap/NAME.png of the scenes; made by the paper's rule where there is no such folder.
    origin says which. Raises BadInput if the folder lacks some of the names.
    """

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.files = find_pictures(folder) if folder.is_dir() else {}
        self.origin = "files" if self.files else f"made of the truth ({RULE})"
        missing = [name for name in names if name not in self.files]
        if self.files and missing:
            raise BadInput(missing_message(missing, len(names), "trimap", folder))

    def __call__(self, name: str, true: np.ndarray) -> np.ndarray:
        if not self.files:
            return trimap_of(true)
        return read_picture(self.files[name], "L")[0].numpy()


def missing_message(missing: list[str], total: int, what: str, folder: Path) -> str:
    """Count and name the scenes that lack a picture."""
    named = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if missing[10:] else "")
    have = "has" if len(missing) == 1 else "have"
    return f"{len(missing)} of {total} scenes {have} no {what} in {folder}: {named}"
