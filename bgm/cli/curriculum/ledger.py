"""What a curriculum remembers of its stages, and how it runs one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from bgm.errors import BadInput, Stopped
from bgm.files import write_text
from bgm.paths import script_path

NAME = "curriculum.json"
FREE = ("data_root", "workers")  # may change from one start to the next


class Ledger:
    """Which stages of a curriculum are done, in folder/curriculum.json, written whole or not.

    stages: name -> words of train.py. Used with `with`: one process at a time works in a folder,
    and so do the trainings it left running when it was killed.
    """

    def __init__(self, folder: Path, stages: dict[str, list[str]]) -> None:
        self.folder, self.path, self.names = folder, folder / NAME, list(stages)
        self.stages: dict[str, dict] = {n: {"words": w, "best": None} for n, w in stages.items()}
        self._lock: int | None = None

    def __enter__(self) -> "Ledger":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock(self.folder)
        try:
            if self.path.is_file():
                self._take_over(read(self.path))
        except BadInput:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def run_folder(self, name: str) -> Path:
        return self.folder / f"{self.names.index(name) + 1}-{name}"

    def done(self, name: str) -> bool:
        return self.stages[name]["best"] is not None

    def best(self, name: str) -> Path:
        """What a finished stage hands on: its best, or its last if it never validated."""
        return self.folder / self.stages[name]["best"]

    def start(self, name: str) -> list[str]:
        """Where a stage begins: the best of the stage before, or a checkpoint of its own."""
        number = self.names.index(name)
        best = [f"init={self.best(self.names[number - 1])}"] if number else []
        return [*best, "resume=auto"]  # its own folder's newest whole checkpoint, if it has one

    def finish(self, name: str) -> None:
        """Write down that a stage is done; BadInput when it left no checkpoint."""
        files = [self.run_folder(name) / f"{kind}.ckpt" for kind in ("best", "last")]
        best = next((file for file in files if file.is_file()), None)
        if best is None:
            raise BadInput(
                f"stage {name} left neither best.ckpt nor last.ckpt in {files[0].parent}"
            )
        self.stages[name]["best"] = str(best.relative_to(self.folder))
        write_text(self.path, json.dumps({"stages": self.stages}, indent=1) + "\n")

    def _take_over(self, stored: dict[str, dict]) -> None:
        """Believe what is done, unless it was done with other settings."""
        if list(stored) != self.names:
            raise BadInput(
                f"{self.path} has the stages {', '.join(stored)}, now they are "
                f"{', '.join(self.names)}: give another hydra.run.dir"
            )
        for name, entry in stored.items():
            then, now = (fixed(x["words"]) for x in (entry, self.stages[name]))
            if then != now:
                changed = [w for w in then if w not in now] or ["nothing"]
                instead = [w for w in now if w not in then] or ["nothing"]
                raise BadInput(
                    f"{self.path}: stage {name} was started with {', '.join(changed)} and has now "
                    f"{', '.join(instead)} instead: restore it, or give another hydra.run.dir"
                )
            self.stages[name]["best"] = entry["best"]


def fixed(words: list[str]) -> list[str]:
    return [w for w in words if w.partition("=")[0] not in FREE]


def read(path: Path) -> dict[str, dict]:
    try:
        stages = json.loads(path.read_text(encoding="utf-8"))["stages"]
        return {name: {"words": x["words"], "best": x["best"]} for name, x in stages.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(f"{path} is no curriculum.json: delete it to start anew") from None


def lock(folder: Path) -> int:
    """Hold folder until the descriptor is closed here and in every process started from here."""
    import fcntl  # not on Windows

    descriptor = os.open(folder / f".{NAME}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    os.set_inheritable(descriptor, True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise BadInput(
            f"{folder} is being worked on by another curriculum, or by a training that it left"
        ) from None
    return descriptor


def train(words: list[str]) -> int:
    """Run train.py with these words as its own process; returns its exit code.

    A SIGTERM or a Ctrl-C that arrives here is the training's to act on: it is waited for, and this
    process ends as stopped, whatever the training's exit code.
    """
    signals: list[int] = []
    command = [sys.executable, str(script_path("train")), *words]
    child = subprocess.Popen(command, close_fds=False)

    def pass_on(signum: int, _: object) -> None:
        signals.append(signum)
        if signum == signal.SIGTERM:  # Ctrl-C has reached it by itself
            child.terminate()

    before = {s: signal.signal(s, pass_on) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        code = child.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    return Stopped.code if signals else code
