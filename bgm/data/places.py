"""Where pictures of places lie: a folder, several folders, or a Linux desktop's wallpapers."""

import os
from collections.abc import Sequence
from pathlib import Path

from bgm.data.shards.tar import is_packed, read_shards
from bgm.errors import BadInput
from bgm.pictures import EXTENSIONS, Member, find_pictures

SYSTEM = "system"  # the word, in the place of a folder
WALLPAPERS = ("backgrounds", "wallpapers")  # in each of the folders for shared data
SMALL = ("screenshot", "preview", "thumbnail")  # stems of pictures that show others

Folders = str | Path | Sequence[str | Path]


def pictures_of_places(folder: Folders) -> tuple[Path, dict[str, Path] | dict[str, Member]]:
    """The folder that all pictures lie under, and stem -> file as `find_pictures` has it.

    folder: one, which may be packed, several, or "system". Raises BadInput where there is none.
    """
    if folder == SYSTEM:
        found = wallpapers()
    elif isinstance(folder, str | Path):
        packed = is_packed(folder)
        return Path(folder), read_shards(folder)["bgr"] if packed else find_pictures(folder)
    else:
        if not folder:
            raise BadInput("backgrounds is an empty list of folders")
        found = [path for each in folder for path in find_pictures(each).values()]
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
        if path.suffix.lower() not in EXTENSIONS or path.stem in SMALL or path.is_symlink():
            continue
        sizes = path.parent if path.parent.parent.name == "contents" else path.with_suffix("")
        if sizes not in largest or path.stat().st_size > largest[sizes].stat().st_size:
            largest[sizes] = path
    if not largest:
        looked = ", ".join(map(str, folders))
        raise BadInput(f"backgrounds=system found no picture in {looked}: give folders of your own")
    return list(largest.values())
