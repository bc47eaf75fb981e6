"""The scores of a run that is not finished, on disk, so that a killed run goes on where it was."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

from bgm.data.fingerprint import fingerprint
from bgm.files import refusals_named, sha256, write_text
from bgm.infer.any_size import run_any_size
from bgm.metrics import score

Entry = dict[str, float] | str  # scores, or why the picture was skipped
WEIGHTS = (".bin", ".data", ".onnx", ".xml", ".pt", ".pt2", ".ckpt", ".safetensors")


class PartialScores(NamedTuple):
    """Entries by name of the picture, appended to a file of JSON lines as they are ready."""

    path: Path
    file: TextIO
    entries: dict[str, Entry]

    def add(self, name: str, entry: Entry) -> None:
        """Write one picture's entry down; it survives a kill of this process from now on."""
        self.entries[name] = entry
        with refusals_named(self.path):
            self.file.write(json.dumps([name, entry]) + "\n")
            self.file.flush()


@contextmanager
def keep_partial_scores(path: str | Path, key: str) -> Iterator[PartialScores]:
    """Give what an earlier run of the same key left behind, to be added to.

    Of another key nothing is taken. The file is removed when the block ends without an exception.
    Raises BadInput where it cannot be written.
    """
    path = Path(path)
    entries = left_behind(path, key)
    lines = [{"key": key}, *entries.items()]
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
    with path.open("a", encoding="utf-8") as file:
        yield PartialScores(path, file, entries)
    path.unlink(missing_ok=True)


def left_behind(path: Path, key: str) -> dict[str, Entry]:
    """The entries of an earlier run of this key, up to a line that a kill cut off."""
    entries: dict[str, Entry] = {}
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines if json.loads(first) == {"key": key} else []:
            name, entries[name] = json.loads(line)
    except (OSError, ValueError):  # no file, an empty one, one of something else; the cut line
        pass
    return entries


def run_key(model: Path | None, files: Iterable[Path], *rules: object) -> str:
    """What must be equal for scores to be equal: model, files, rules, and the code that scores.

    model: a file whose bytes count (with its neighbours of the same stem: weights may lie apart).
    files: counted by name, size and time of change: on one machine that tells edits apart.
    """
    stats = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    neighbours = [] if model is None else sorted(model.parent.glob(f"{model.stem}.*"))
    weights = [sha256(f) for f in neighbours if f.is_file() and f.suffix in WEIGHTS]
    return fingerprint(model and sha256(model), weights, stats, *rules, score, run_any_size)
