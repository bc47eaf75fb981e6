"""Which picture files subjects and backgrounds have: in folders, shards, zips, on the desktop."""

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bgm.data.shards import is_packed, read_shards
from bgm.errors import BadInput
from bgm.people import FOLDER
from bgm.pictures import COMMON, HIDDEN, ZIPPED, Member, find_pictures, some_pictures

SYSTEM = "system"  # the word, in the place of a folder
EMBEDDED = "embedded"  # the same, for the people that come with this package
WALLPAPERS = ("backgrounds", "wallpapers")  # in each of the folders for shared data
SMALL = ("screenshot", "preview", "thumbnail")  # stems of pictures that show others

Folders = str | Path | Sequence[str | Path]


class Listing(NamedTuple):
    """The files of every kind ("fgr", "pha", "rgba" or "bgr"), by stem; not paired yet."""

    files: Mapping[str, Mapping[str, Path | Member]]
    folders: dict[str, Path]  # of every kind; none where the files lie in shards or a zip


def list_subjects(
    root: str | Path | None = None,
    fgr: str | Path | None = None,
    pha: str | Path | None = None,
    rgba: str | Path | None = None,
) -> Listing:
    """List subjects: root, fgr together with pha, or rgba.

    root has fgr/ and pha/ inside, or tar shards, or else its pictures are RGBA; "embedded" are the
    rendered people that come with this package. A zip, ROOT.zip as
    well where there is no folder ROOT, is read as the folder that was zipped. Raises BadInput for
    other arguments and for what is missing, empty or broken.
    """
    given = {"fgr": fgr, "pha": pha, "rgba": rgba}
    one = (root is not None, fgr is not None and pha is not None, rgba is not None)
    if sum(one) != 1 or (fgr is None) != (pha is None):
        raise BadInput(
            "subjects need one of: root, fgr together with pha, rgba (with data=mixed: "
            f"people=FOLDER); found root={root} fgr={fgr} pha={pha} rgba={rgba}"
        )
    if root == EMBEDDED and not Path(EMBEDDED).exists():
        root = FOLDER
    if root is None:
        return _list({kind: Path(place) for kind, place in given.items() if place is not None})
    if is_packed(root):
        return Listing(read_shards(root), {})
    root = _existing(root)
    if (root / "pha").is_dir() or _in_zip(root / "pha"):
        return _list({kind: root / kind for kind in ("fgr", "pha")})
    return _list({"rgba": root})


def list_backgrounds(folder: Folders) -> Listing:
    """List backgrounds: a folder of pictures, of tar shards, or a zip, as `list_subjects` does.

    folder: or several, or "system", a Linux desktop's wallpapers. Raises BadInput without any.
    """
    if isinstance(folder, str | Path) and folder != SYSTEM:
        if is_packed(folder):
            return Listing({"bgr": read_shards(folder)["bgr"]}, {})
        return _list({"bgr": _existing(folder)})
    if folder == SYSTEM:
        paths = wallpapers()
    else:
        paths = [path for each in folder for path in find_pictures(each).values()]
    if not paths:
        raise BadInput("backgrounds is an empty list of folders")
    root = Path(os.path.commonpath([path.parent for path in paths]))
    stems = {path.relative_to(root).with_suffix("").as_posix(): path for path in paths}
    if len(stems) < len(paths):
        raise BadInput(
            f"{len(paths) - len(stems)} pictures in {folder} have the stem of another one, or come "
            "twice: name each folder once, and keep one of the files"
        )
    return Listing({"bgr": dict(sorted(stems.items()))}, {"bgr": root})


def wallpapers() -> list[Path]:
    """The wallpapers on this machine; of one that comes in several sizes or formats the largest.

    They lie in the folders for shared data of the XDG Base Directory Specification, KDE's in
    NAME/contents/images/WIDTHxHEIGHT.jpg. Raises BadInput where there is none.
    """
    own = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    dirs = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    shared = [Path(path).expanduser() for path in (own, *dirs.split(":"))]
    folders = [folder / name for folder in shared for name in WALLPAPERS]
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


def _list(places: Mapping[str, Path]) -> Listing:
    zips = {kind: place for kind, place in places.items() if _zip_of(place)}
    files: dict = {kind: find_pictures(p) for kind, p in places.items() if kind not in zips}
    files |= {kind: some_pictures(str(p), _in_zip(p).items()) for kind, p in zips.items()}
    return Listing(files, {} if zips else dict(places))


def _existing(place: str | Path) -> Path:
    """The place, or the zip beside it that has its name."""
    place = Path(place)
    zipped = place.with_name(f"{place.name}.zip")
    return zipped if not place.exists() and zipped.is_file() else place


def _zip_of(place: Path) -> Path | None:
    """The zip that a place is, or lies in."""
    for path in (place, *place.parents):
        if path.suffix.lower() == ".zip" and path.is_file():
            return path
    return None


def _in_zip(place: Path) -> dict[str, Member]:
    """Files below a place in a zip, by their names below it; {} for a place that is in no zip.

    A folder around everything is passed over, and so is what the system that zipped it adds.
    """
    path = _zip_of(place)
    if path is None:
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            infos = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, OSError) as error:
        raise BadInput(f"{path} is not a zip that can be read ({error})") from None
    shown = {n: i for n, i in infos.items() if not any(p.startswith(HIDDEN) for p in n.split("/"))}
    tops = {name.partition("/")[0] for name in shown}
    around = len(tops) == 1 and not tops & {"fgr", "pha", *shown}
    prefix = f"{tops.pop()}/" if around else ""
    inside = place.relative_to(path).as_posix()
    prefix += "" if inside == "." else f"{inside}/"
    return {
        name.removeprefix(prefix): Member(str(path), name, ZIPPED, info.file_size)
        for name, info in shown.items()
        if name.startswith(prefix)
    }
