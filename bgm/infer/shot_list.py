"""Shots to matte one after the other: a folder of shots, or a CSV with a row for each."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bgm.errors import BadInput
from bgm.infer.outputs import OUTPUTS
from bgm.pictures.finding import HIDDEN

RECORDS = ".bgm"  # beside com/, pha/, ...: with which settings they were made
COLUMNS = ("src", "bgr", "out")


class ListedShot(NamedTuple):
    """One shot of a list: as `src=`, `bgr=` and `out=` would say it."""

    name: str
    src: str
    bgr: str
    out: str


def list_shots(shots: str | Path, out: str | None = None) -> list[ListedShot]:
    """The shots of a folder or of a CSV, sorted or in the file's order.

    A folder holds one folder for each shot: SHOT/src.* (a picture or a video) or SHOT/src/
    (pictures), and its plate in SHOT/bgr.* or SHOT/bgr/; SHOT's mattes go to out/SHOT. A CSV has
    the columns src, bgr and out, paths from the CSV's own folder; with `out`, its third column is a
    path from there, and may be left out: then it is the name of src. Raises BadInput for a list
    that cannot be read, for an empty one, and for two shots that would write the same files.
    """
    path = Path(shots)
    if path.is_dir():
        if out is None:
            raise BadInput(f"shots={shots} is a folder: out=FOLDER says where its mattes go")
        found = _of_folder(path, Path(out))
    elif path.is_file():
        found = _of_csv(path, None if out is None else Path(out))
    else:
        raise BadInput(f"shots={shots} does not exist: expected a folder of shots, or a CSV")
    written: dict[tuple[Path, str], str] = {}
    for shot in found:
        target = (Path(shot.out).resolve(), Path(shot.src).stem)
        if target in written:
            raise BadInput(
                f"shots {written[target]} and {shot.name} of {shots} would both write {shot.src}"
                f" to {shot.out}: give one of them another out"
            )
        written[target] = shot.name
    return found


def choose_shots(shots: list[ListedShot], chosen: object) -> list[ListedShot]:
    """Those of the list that are named, or numbered from 0; one, or several; None: all."""
    if chosen is None:
        return shots
    words = chosen if isinstance(chosen, Iterable) and not isinstance(chosen, str) else [chosen]
    return [_one(shots, word) for word in words]


def _one(shots: list[ListedShot], word: object) -> ListedShot:
    for shot in shots:
        if shot.name == str(word):
            return shot
    try:
        number = int(str(word))
    except ValueError:
        number = -1
    if 0 <= number < len(shots):
        return shots[number]
    names = ", ".join(shot.name for shot in shots[:10])
    raise BadInput(
        f"shot={word} is none of the {len(shots)} shots: expected 0 to {len(shots) - 1}, or a name"
        f" ({names}{', ...' if len(shots) > 10 else ''})"
    )


def _of_folder(folder: Path, out: Path) -> list[ListedShot]:
    try:
        inside = sorted(x for x in folder.iterdir() if not x.name.startswith(HIDDEN))
    except OSError as error:
        raise BadInput(f"folder {folder} cannot be read ({error.strerror})") from None
    skip = out.resolve()
    folders = [x for x in inside if x.is_dir() and x.resolve() != skip]
    if skip.parent == folder.resolve() and (_part(skip, "src").exists()):
        raise BadInput(f"out={out} is itself a shot of shots={folder}: choose another folder")
    if not folders:
        raise BadInput(f"shots={folder} holds no folders: expected one for each shot")
    return [
        ListedShot(x.name, str(_part(x, "src")), str(_part(x, "bgr")), str(out / x.name))
        for x in folders
    ]


def _part(shot: Path, part: str) -> Path:
    """shot/src/ or the one file shot/src.*; where there is none, shot/src, which will be named."""
    if (shot / part).is_dir():
        return shot / part
    files = [x for x in sorted(shot.glob(f"{part}.*")) if x.is_file()]
    if len(files) > 1:
        raise BadInput(f"shot {shot} has {files[0].name} and {files[1].name}: keep one of them")
    return files[0] if files else shot / part


def _of_csv(path: Path, out: Path | None) -> list[ListedShot]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [str(name).strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"shots={path} cannot be read as a CSV ({error})") from None
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise BadInput(
            f"shots={path} has the column {unknown[0]!r}, expected {', '.join(COLUMNS)}: settings"
            " are for all shots, on the command line"
        )
    needed = COLUMNS if out is None else COLUMNS[:2]
    if missing := [name for name in needed if name not in columns]:
        raise BadInput(
            f"shots={path} has the columns {', '.join(columns) or 'none'}, {', '.join(missing)} is"
            f" missing: its first line is src,bgr,out"
        )
    if not rows:
        raise BadInput(f"shots={path} holds no rows below its first line")
    found = []
    for number, row in enumerate(rows, 2):
        if row.get(None):
            raise BadInput(
                f"shots={path}, line {number} has more cells than columns: a path with a comma"
                ' needs quotes, "a,b.mov"'
            )
        cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
        if empty := [name for name in needed if not cells[name]]:
            raise BadInput(f"shots={path}, line {number}: {', '.join(empty)} is empty")
        src, beside = path.parent / cells["src"], path.parent
        target = (out or beside) / (cells["out"] or src.stem)
        found.append(ListedShot(cells["src"], str(src), _plate(beside, cells["bgr"]), str(target)))
    return found


def _plate(folder: Path, bgr: str) -> str:
    """A plate's path from the CSV's folder; `median` is no path."""
    return bgr if bgr == "median" else str(folder / bgr)


def check_apart(shot: ListedShot) -> None:
    """Raise BadInput where mattes would lie among the pictures that they are made of."""
    src, out = Path(shot.src).resolve(), Path(shot.out).resolve()
    if src.is_dir() and (src / RECORDS).is_dir() and any((src / x).is_dir() for x in OUTPUTS):
        raise BadInput(
            f"src={shot.src} holds the mattes of an earlier run ({', '.join(OUTPUTS)}), which would"
            " be matted too: move them out of it"
        )
    if src.is_dir() and (src == out or src in out.parents):
        raise BadInput(
            f"out={shot.out} lies in src={shot.src}, all of whose pictures are matted: the next run"
            " would matte these mattes; choose another folder"
        )


def one_shot(src: str, bgr: str, out: str) -> ListedShot:
    """The shot of a command line that names no list."""
    return ListedShot(Path(src).stem, src, bgr, out)
