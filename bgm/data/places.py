"""Pictures of places in several folders, or among a Linux desktop's wallpapers."""

import os
from collections.abc import Sequence
from pathlib import Path

from bgm.errors import BadInput
from bgm.pictures import COMMON, find_pictures

SYSTEM = "system"  # the word, in the place of a folder
WALLPAPERS = ("backgrounds", "wallpapers")  # in each of the folders for shared data
SMALL = ("screenshot", "preview", "thumbnail")  # stems of pictures that show others

Folders = str | Path | Sequence[str | Path]


def gather_pictures(folder: Folders) -> tuple[Path, dict[str, Path]]:
    """The folder that all pictures lie under, and stem -> file as `find_pictures` has it.

    folder: several folders, or "system". Raises BadInput where there is no picture.
    """
    if folder == SYSTEM:
        found = wallpapers()
    else:
        folders = [folder] if isinstance(folder, str | Path) else folder
        found = [path for each in folders for path in find_pictures(each).values()]
        if not found:
            raise BadInput("backgrounds is an empty list of folders")
    root = Path(os.path.commonpath([path.parent for path in found]))
    stems = {path.relative_to(root).with_suffix("").as_posix(): path for path in found}
    if len(stems) < len(found):
        raise BadInput(
            f"{len(found) - len(stems)} pictures in {folder} have the stem of another one, or come "
            "twice: name each folder once, and keep one of the files"
        )
    return root, dict(sorted(stems.items()))


def shared_data() -> list[Path]:
    """The folders for shared data, as the XDG Base Directory Specification lists them."""
    own = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    dirs = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    return [Path(path).expanduser() for path in [own, *dirs.split(":")]]


def wallpapers() -> list[Path]:
    """The wallpapers on this machine; of one that comes in several sizes or formats the largest.

    KDE's lie in NAME/contents/images/WIDTHxHEIGHT.jpg. Raises BadInput where there is none.
    """
    folders = [shared / name for shared in shared_data() for name in WALLPAPERS]
    largest: dict[Path, Path] = {}
    for path in sorted(p for folder in folders if folder.is_dir() for p in folder.rglob("*")):
        if path.suffix.lower() not in COMMON or path.stem in SMALL or path.is_symlink():
            continue
        sizes = path.parent if path.parent.parent.name == "contents" else path.with_suffix("")
        if sizes not in largest or path.stat().st_size > largest[sizes].stat().st_size:
            largest[sizes] = path
    if not largest:
        looked = ", ".join(map(str, folders))
        raise BadInput(f"backgrounds=system found no picture in {looked}: give folders of your own")
    return list(largest.values())
