"""Which outputs of an earlier run are whole, for `resume=true`."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from bgm.errors import BadInput
from bgm.files import atomic_write
from bgm.infer.frame import Shot
from bgm.infer.outputs import OUTPUTS, check_outputs
from bgm.infer.shot_list import RECORDS, ListedShot
from bgm.infer.sources import Clip, Pictures
from bgm.pictures.finding import walk_files
from bgm.weights import weights_file

# Keys of conf/predict.yaml that change no output, or stand in the record by themselves.
FREE = {"resume", "progress", "memory", "device", "max_megapixels", "compile", "src", "bgr", "out"}
FREE |= {"shots", "shot", "model", "preset"}
WRITTEN = "written"  # key of a record for what there is; all others are settings


class KnowsFiles(Protocol):
    """A sink that can say which files it would write."""

    def existing(self, name: str, frames: int | None = None) -> list[Path] | None: ...


class OutputRecord:
    """OUT/.bgm/NAME.json: with which settings the outputs of a shot were made, and which they are.

    Outputs appear whole or not at all. So one is whole, and of these settings, when it is not
    empty, and not older than the record nor than what it was made of. frames: of a video that was
    matted to its end, how many there were, as no header knows; 0: it was not. settings: of
    conf/predict.yaml.
    """

    def __init__(self, shot: ListedShot, settings: Mapping[str, Any]) -> None:
        self.path = Path(shot.out) / RECORDS / f"{Path(shot.src).stem}.json"
        self.content = recorded(shot, settings)
        self.frames = 0
        self._outputs = check_outputs(settings.get("outputs", OUTPUTS))
        self._since: int | None = None  # ns: outputs are made with these settings from then on

    def kinds(self) -> set[str]:
        """The kinds of output that predict.py ever wrote there, of whatever shot."""
        kinds: set[str] = set()
        for known in map(_read, self.path.parent.glob("*.json")):
            with suppress(BadInput):
                kinds |= set(check_outputs(known.get(WRITTEN, known).get("outputs")))
        return kinds

    def resume(self, say: Callable[[str], None]) -> None:
        """Read the record; settings that changed are said, and nothing is whole then."""
        try:
            known, since = _read(self.path), self.path.stat().st_mtime_ns
        except OSError:
            return
        written = known.pop(WRITTEN, {})
        if not known:
            return
        keys = sorted(known.keys() | self.content.keys())
        changed = [key for key in keys if known.get(key) != self.content.get(key)]
        if changed:
            say(f"{self.path.parents[1]}: {', '.join(changed)} changed since: all is matted anew")
        else:
            self._since, self.frames = since, int(written.get("frames", 0))

    def is_whole(self, outputs: list[Path] | None, *inputs: Path | Shot) -> bool:
        """Whether these files are there and not older than the record and the inputs."""
        if self._since is None or outputs is None:
            return False
        try:
            made_of = [_changed_ns(file) for file in inputs if isinstance(file, Path)]
            made = [file.stat() for file in outputs]
        except OSError:
            return False
        full = all(state.st_size for state in made)
        return full and min(x.st_mtime_ns for x in made) >= max([self._since, *made_of])

    def write(self) -> None:
        """Begin to make outputs with these settings; a record of the same ones stays as it is."""
        if self._since is None:
            self._write(0)
            self._since = self.path.stat().st_mtime_ns

    def ended(self, frames: int) -> None:
        """Write down that all frames of a video are written, so many."""
        self._write(frames)

    def _write(self, frames: int) -> None:
        before = _read(self.path).get(WRITTEN, {}).get("outputs", [])
        written = {"outputs": sorted({*before, *self._outputs}), "frames": frames}
        with atomic_write(self.path) as partial:
            partial.write_text(json.dumps(self.content | {WRITTEN: written}, indent=1), "utf-8")
            if self._since is not None:  # its time says since when outputs have these settings
                os.utime(partial, ns=(self._since, self._since))


def _read(path: Path) -> dict[str, Any]:
    """What a record holds; nothing of one that cannot be read."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _changed_ns(file: Path) -> int:
    """When a file came to be what it is: a copy that keeps the date of its origin came later."""
    state = file.stat()
    return max(state.st_mtime_ns, state.st_ctime_ns)


def whole_frames(frames: Pictures | Clip, sink: KnowsFiles, record: OutputRecord) -> list[str]:
    """Names of the frames whose outputs are whole; of a video its name, for all of its frames."""
    if isinstance(frames, Clip):
        name, inputs = frames.path.stem, (frames.path, frames.plate)
        return [name] if record.is_whole(sink.existing(name, record.frames), *inputs) else []
    return [
        name
        for name, path in frames.shots.items()
        if record.is_whole(sink.existing(name), path, frames.plates[name])
    ]


def recorded(shot: ListedShot, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the outputs of a shot: settings, and the files they name, as JSON has them."""
    content: dict[str, Any] = {key: x for key, x in settings.items() if key not in FREE}
    model = str(settings.get("model"))
    content |= {"src": _resolved(shot.src), "bgr": _resolved(shot.bgr), "model": _resolved(model)}
    named = {key: str(x) for key, x in content.items() if isinstance(x, str)}
    for key, word in named.items():
        if key != "src" and not (key == "bgr" and Path(word).is_dir()):  # frames have times
            content |= _state(key, word)
    if shot.bgr == "median":
        content |= _state("src", shot.src)
    elif "@" in shot.bgr:
        content |= _state("bgr", shot.bgr.rpartition("@")[0])
    with suppress(BadInput):  # a name on a hub that cannot be reached now
        content |= _state("model", str(weights_file(model)))
    return json.loads(json.dumps(content, default=str))


def _resolved(word: str) -> str:
    return str(Path(word).resolve()) if Path(word).exists() else word


def _state(key: str, word: str) -> dict[str, list[int]]:
    """Number, bytes and last change of the files that a word names; nothing if it names none."""
    path = Path(word)
    try:
        files = [file for _, file in walk_files(path)] if path.is_dir() else [path]
        states = [file.stat() for file in files]
    except (OSError, BadInput):
        return {}
    changed = max((state.st_mtime_ns for state in states), default=0)
    return {f"files of {key}": [len(states), sum(state.st_size for state in states), changed]}
