"""Trimaps of scenes: files beside them, or made of the truth by the paper's rule."""

from collections.abc import Sequence
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
        self.files = pictures_of(folder, names, "trimap") if folder.is_dir() else {}
        self.origin = "files" if self.files else f"made of the truth ({RULE})"

    def __call__(self, name: str, true: np.ndarray) -> np.ndarray:
        if not self.files:
            return trimap_of(true)
        return read_picture(self.files[name], "L")[0].numpy()


def pictures_of(folder: Path, names: Sequence[str], what: str) -> dict[str, Path]:
    """A folder's pictures by name; BadInput counts and names the scenes that lack one."""
    found = find_pictures(folder)
    if missing := [name for name in names if name not in found]:
        named = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if missing[10:] else "")
        have = "has" if len(missing) == 1 else "have"
        raise BadInput(
            f"{len(missing)} of {len(names)} scenes {have} no {what} in {folder}: {named}"
        )
    return found
