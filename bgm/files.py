"""Files and folders that appear whole or not at all, whatever ends the program."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bgm.errors import BadInput


@contextmanager
def refusals_named(path: str | Path) -> Iterator[None]:
    """Raise BadInput, naming path, where the system refuses what the block does: a full disk, say.

    An OSError that names another file is said to be of path all the same.
    """
    try:
        yield
    except OSError as error:
        raise BadInput(f"cannot write {path} ({error.strerror or error})") from error


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and what is above it; returns those that were not there, the deepest first."""
    missing = [x for x in (folder, *folder.parents) if not os.path.lexists(x)]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove folders as long as they are empty: of a file that did not come to be."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a name beside path to write a file under; rename it to path when the block ends.

    An exception in the block leaves all as it was. Raises BadInput as `refusals_named`.
    """
    path = Path(path)
    partial = _partial_name(path)
    with refusals_named(path):
        made = make_folder(path.parent)
        try:
            yield partial
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
            remove_empty(made)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give a new folder beside path to fill; rename it to path when the block ends.

    path must not exist at the end of the block, or be an empty folder. An exception in the block
    leaves nothing. Raises BadInput as `refusals_named`.
    """
    with _partial_folder(path) as partial:
        yield partial
        os.replace(partial, path)


@contextmanager
def atomic_files(path: str | Path) -> Iterator[Path]:
    """Give a folder beside path to write files in; move them beside path when the block ends.

    An exception in the block leaves all files beside path as they were; folders in it are removed.
    Raises BadInput as `refusals_named`.
    """
    with _partial_folder(path) as partial:
        yield partial
        for file in sorted(x for x in partial.iterdir() if x.is_file()):
            os.replace(file, Path(path).parent / file.name)


@contextmanager
def _partial_folder(path: str | Path) -> Iterator[Path]:
    """A folder beside path that is gone after the block."""
    partial = _partial_name(Path(path))
    with refusals_named(path):
        made = make_folder(partial)  # now rather than after the minutes of work
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            remove_empty(made[1:])


def write_text(path: str | Path, text: str) -> None:
    """Write a text file, whole or not at all; BadInput, naming it, where the system refuses."""
    with atomic_write(path) as partial:
        partial.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """The hash of a file's bytes, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def beside(path: str | Path, suffix: str) -> str:
    """A name beside a file: runs/x/last.ckpt and "-scores" give runs/x/last-scores."""
    return f"{Path(path).with_suffix('')}{suffix}"


def check_other_file(out: str | Path, **inputs: str | Path) -> None:
    """Raise BadInput where out is one of the inputs, by their words: it would take its place."""
    for word, given in inputs.items():
        if Path(out).resolve() == Path(given).resolve():
            raise BadInput(f"{out} would take the place of {word}={given}: name another out=...")


def _partial_name(path: Path) -> Path:
    """Hidden, beside path, and another one for every writer."""
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
