"""The scores of a run that is not finished, on disk, so that a killed run goes on where it was."""

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from bgm.data.fingerprint import fingerprint
from bgm.errors import BadInput
from bgm.files import sha256, write_text
from bgm.infer.any_size import run_any_size
from bgm.metrics import score

Entry = dict[str, float] | str  # scores, or why the picture was skipped
WEIGHTS = (".bin", ".data", ".onnx", ".xml", ".pt", ".pt2", ".ckpt", ".safetensors")


class PartialScores:
    """Entries by name of the picture, appended to a file of JSON lines as they are ready.

    with PartialScores(path, key) as partial: `entries` holds what a run of the same key left
    behind; of another key nothing is taken. The file is removed when the block ends without an
    exception. Raises BadInput where the file cannot be written.
    """

    def __init__(self, path: str | Path, key: str) -> None:
        self.path, self.key = Path(path), key
        self.entries: dict[str, Entry] = {}

    def __enter__(self) -> "PartialScores":
        self.entries = self._left_behind()
        lines = [{"key": self.key}, *self.entries.items()]
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in lines))
        self._file = self.path.open("a", encoding="utf-8")
        return self

    def add(self, name: str, entry: Entry) -> None:
        """Write one picture's entry down; it survives a kill of this process from now on."""
        self.entries[name] = entry
        try:
            self._file.write(json.dumps([name, entry]) + "\n")
            self._file.flush()
        except OSError as error:
            raise BadInput(f"cannot write {self.path} ({error.strerror or error})") from None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None:
            self.path.unlink(missing_ok=True)

    def _left_behind(self) -> dict[str, Entry]:
        """The entries of an earlier run of this key, up to a line that a kill cut off."""
        try:
            first, *lines = self.path.read_text(encoding="utf-8").splitlines()
            if json.loads(first) != {"key": self.key}:
                return {}
        except (OSError, ValueError):  # no file, an empty one, or of something else
            return {}
        entries = {}
        for line in lines:
            try:
                name, entries[name] = json.loads(line)
            except ValueError:
                break
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
