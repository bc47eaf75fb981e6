"""Scores that were found so far, on disk, so that a killed run goes on where it was."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from bgm.data.fingerprint import fingerprint
from bgm.errors import BadInput
from bgm.infer.matte import matte
from bgm.metrics import score

Row = dict[str, float]
Entry = Row | str  # scores, or why the picture was skipped


class Journal:
    """Rows by name of the picture, appended to a file of JSON lines as they are found.

    with Journal(path, key) as journal: `rows` holds what a run of the same key left behind; a file
    of another key is begun anew. The file is removed when the block ends without an exception.
    Raises BadInput where the file cannot be written.
    """

    def __init__(self, path: str | Path, key: str) -> None:
        self.path, self.key = Path(path), key
        self.rows: dict[str, Entry] = {}

    def __enter__(self) -> "Journal":
        self.rows, kept = self._left_behind()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not kept:
                self.path.write_text(json.dumps({"key": self.key}) + "\n")
            else:
                with self.path.open("r+b") as file:
                    file.truncate(kept)  # a line that a kill cut off
            self._file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise BadInput(f"cannot write {self.path} ({error.strerror or error})") from None
        return self

    def add(self, name: str, entry: Entry) -> None:
        """Write one picture's entry down; it survives a kill of this process from now on."""
        self.rows[name] = entry
        self._file.write(json.dumps([name, entry]) + "\n")
        self._file.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None:
            self.path.unlink(missing_ok=True)

    def _left_behind(self) -> tuple[dict[str, Entry], int]:
        """The rows of an earlier run of this key, and how many bytes of the file hold them."""
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except OSError:
            return {}, 0
        rows, kept = {}, 0
        for number, line in enumerate(lines):
            try:
                found = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                found = None
            if number == 0:
                if found != {"key": self.key}:
                    return {}, 0
            elif isinstance(found, list) and len(found) == 2:
                rows[found[0]] = found[1]
            else:
                break
            kept += len(line)
        return rows, kept


def key_of(model: str | None, files: Iterable[Path], *rules: object) -> str:
    """What must be equal for scores to be equal: model, files, rules, and the code that scores.

    model: a file whose bytes count (with its neighbours of the same stem: weights may lie apart).
    files: counted by name, size and time of change: on one machine that tells edits apart.
    """
    listed = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    neighbours = [] if model is None else sorted(Path(model).parent.glob(f"{Path(model).stem}.*"))
    weights = [sha256(f) for f in neighbours if f.is_file() and f.suffix in WEIGHTS]
    digest = None if model is None else sha256(Path(model))
    return fingerprint(digest, weights, listed, *rules, score, matte)


WEIGHTS = (".bin", ".data", ".onnx", ".xml", ".pt", ".pt2", ".ckpt", ".safetensors")


def sha256(path: Path) -> str:
    """Digest of a file's bytes; of names and sizes where it is a folder or missing."""
    if not path.is_file():
        return fingerprint(sorted((p.name, p.stat().st_size) for p in path.rglob("*")))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
