"""Picture files found by their relative stem, in folders and archives, and paired."""

import io
import os
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from bgm.errors import BadInput

COMMON = (".jpg", ".jpeg", ".png", ".webp")
EXTENSIONS = (
    *COMMON,
    *(".jfif", ".jpe", ".tif", ".tiff", ".bmp", ".tga", ".gif", ".apng", ".avif", ".heic"),
    *(".heif", ".hif", ".jp2", ".j2k", ".jpx", ".jxl", ".ppm", ".pgm", ".pnm", ".pfm", ".sgi"),
    *(".exr", ".hdr", ".dpx", ".psd"),
)
RAW = (".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".raf", ".rw2", ".orf", ".pef", ".srw")
HIDDEN = (".", "__MACOSX", "Thumbs.db", "desktop.ini")  # what macOS and Windows leave in folders
ZIPPED = -1  # offset of a member that its zip's directory has to find
F = TypeVar("F")


class Member(NamedTuple):
    """A picture file inside a tar (uncompressed) or zip archive."""

    archive: str
    name: str
    offset: int  # bytes; ZIPPED in a zip
    size: int  # bytes

    def open(self) -> io.BytesIO:
        """Its bytes, read in one piece; BadInput for a zip that cannot be unpacked."""
        if self.offset == ZIPPED:
            try:
                changed = os.stat(self.archive).st_mtime_ns
                archive = _open_zip(self.archive, os.getpid(), changed)
                return io.BytesIO(archive.read(self.name))
            except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError) as error:
                raise BadInput(f"{self} cannot be unpacked ({error})") from None
        with open(self.archive, "rb") as file:
            file.seek(self.offset)
            return io.BytesIO(file.read(self.size))

    def __str__(self) -> str:
        return f"{self.archive}/{self.name}"


File = str | Path | Member


def read_bytes(path: File) -> bytes:
    """A picture file as it is; BadInput names one that cannot be read."""
    try:
        return path.open().read() if isinstance(path, Member) else Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error})") from None


@lru_cache(maxsize=8)
def _open_zip(path: str, process: int, changed: int) -> zipfile.ZipFile:
    """An open zip of this process: a file position that forked workers share would be moved."""
    return zipfile.ZipFile(path)


def walk_files(folder: str | Path) -> Iterator[tuple[str, Path]]:
    """Yield name below folder ("clip7/0001.png") and path of every file at any depth, sorted.

    Hidden files and folders are left out. Links to folders are followed, but for those that lead
    back to a folder that they lie in. Raises BadInput for a folder that cannot be read.
    """
    yield from _walk(str(folder), "", ())


def _walk(folder: str, prefix: str, parents: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    real = os.path.realpath(folder)
    if real in parents:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise BadInput(f"folder {folder} cannot be read ({error.strerror})") from None
    for entry in entries:
        if entry.name.startswith(HIDDEN):
            continue
        if entry.is_dir():
            yield from _walk(entry.path, f"{prefix}{entry.name}/", (*parents, real))
        elif entry.is_file():
            yield prefix + entry.name, Path(entry.path)


def by_stem(
    files: Iterable[tuple[str, F]], extensions: Sequence[str] = EXTENSIONS
) -> tuple[dict[str, F], int]:
    """Map stems, sorted, to those files (name, file) that have an extension; count the others.

    Accents count alike whether they are composed or not. Raises BadInput for two files of one stem.
    """
    found: dict[str, F] = {}
    others = 0
    for name, file in files:
        stem, extension = os.path.splitext(unicodedata.normalize("NFC", name))
        if extension.lower() not in extensions:
            others += 1
            continue
        if stem in found:
            raise BadInput(f"{found[stem]} and {file} have the same stem: keep one of them")
        found[stem] = file
    return dict(sorted(found.items())), others


def find_pictures(folder: str | Path) -> dict[str, Path]:
    """Map relative stem ("clip7/0001") to file for every picture under folder, sorted by stem.

    Raises BadInput for a missing folder, a folder without pictures, two files of one stem.
    """
    if not Path(folder).is_dir():
        raise BadInput(f"folder {folder} does not exist ({_looked_for()})")
    return some_pictures(f"folder {folder}", walk_files(folder))


def other_files(folder: str | Path) -> list[str]:
    """The names below a folder of what `find_pictures` passes over there."""
    names = (name for name, _ in walk_files(folder))
    return [name for name in names if os.path.splitext(name)[1].lower() not in EXTENSIONS]


def some_pictures(where: str, files: Iterable[tuple[str, F]]) -> dict[str, F]:
    """The pictures among files (name, file) by stem; BadInput, naming where, if there are none."""
    found, others = by_stem(files)
    if not found:
        raise BadInput(f"{where} holds 0 pictures and {others} other files ({_looked_for()})")
    return found


def _looked_for() -> str:
    return f"looked for {' '.join(EXTENSIONS)} in any case, at any depth"


def one_size(sizes: Mapping[Any, tuple[int, int]]) -> tuple[int, int]:
    """The (H, W) that pictures, by their files, have in common; BadInput names two that differ."""
    (first, (H, W)), *others = sizes.items()
    for other, (h, w) in others:
        if (h, w) != (H, W):
            raise BadInput(
                f"{first} is {W}x{H} pixels and {other} is {w}x{h}: they must have one size"
            )
    return H, W


def pair_by_stem(**folders: Mapping[str, Any]) -> list[str]:
    """Return the stems that all folders share; raise BadInput naming the first ten that differ."""
    names = list(folders)
    first = folders[names[0]]
    for name in names[1:]:
        unpaired = [f"{s} (only in {names[0]})" for s in first if s not in folders[name]]
        unpaired += [f"{s} (only in {name})" for s in folders[name] if s not in first]
        if unpaired:
            more = f" and {len(unpaired) - 10} more" if len(unpaired) > 10 else ""
            listed = ", ".join(unpaired[:10])
            raise BadInput(
                f"{len(unpaired)} stems of {names[0]}/ and {name}/ do not pair: {listed}{more}"
            )
    return list(first)
