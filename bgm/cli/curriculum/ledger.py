"""What a curriculum remembers of its stages, and how it runs one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bgm.errors import BadInput, Stopped
from bgm.files import write_text
from bgm.paths import script_path

NAME = "curriculum.json"
FREE = ("data_root", "workers")  # may change from one start to the next
Stages = dict[str, list[str]]  # name -> words of train.py


class Ledger:
    """Which stages of a curriculum are done, in folder/curriculum.json, written whole or not."""

    def __init__(self, folder: Path, stages: Stages) -> None:
        self.folder, self.path, self.stages = folder, folder / NAME, stages
        self.best: dict[str, Path] = {}  # what each finished stage hands on
        if self.path.is_file():
            stored = read(self.path)
            then, now = settings({n: x["words"] for n, x in stored.items()}), settings(stages)
            if then != now:
                raise BadInput(
                    f"{self.path} was started with {', '.join(sorted(then - now)) or 'nothing'} "
                    f"and has now {', '.join(sorted(now - then)) or 'nothing'} instead: restore "
                    "it, or give another hydra.run.dir"
                )
            self.best = {n: folder / x["best"] for n, x in stored.items() if x["best"]}

    def run_folder(self, name: str) -> Path:
        return self.folder / f"{list(self.stages).index(name) + 1}-{name}"

    def start(self, name: str) -> list[str]:
        """Where a stage begins: the best of the stage before, or a checkpoint of its own."""
        names = list(self.stages)
        before = names[: names.index(name)]
        best = [f"init={self.best[before[-1]]}"] if before else []
        return [*best, "resume=auto"]  # its own folder's newest whole checkpoint, if it has one

    def finish(self, name: str) -> None:
        """Write down that a stage is done; BadInput when it left no checkpoint.

        It hands on its best, or its last if it never validated.
        """
        folder = self.run_folder(name)
        files = [x for x in (folder / "best.ckpt", folder / "last.ckpt") if x.is_file()]
        if not files:
            raise BadInput(f"stage {name} left neither best.ckpt nor last.ckpt in {folder}")
        self.best[name] = files[0]
        found = {n: str(path.relative_to(self.folder)) for n, path in self.best.items()}
        rows = {n: {"words": words, "best": found.get(n)} for n, words in self.stages.items()}
        write_text(self.path, json.dumps({"stages": rows}, indent=1) + "\n")


@contextmanager
def open_ledger(folder: Path, stages: Stages) -> Iterator[Ledger]:
    """The ledger of a folder that nobody else works in until the block ends.

    Nor do the trainings that a curriculum left running when it was killed: they inherit the lock.
    Raises BadInput for a folder that is being worked on, or was with other settings.
    """
    import fcntl  # not on Windows

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f".{NAME}.lock", "w") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput(
                f"{folder} is being worked on by another curriculum, or by a training that it left"
            ) from None
        yield Ledger(folder, stages)


def settings(stages: Stages) -> set[str]:
    """Everything that must not change, each with the number and the name of its stage."""
    return {
        f"{number}-{name} {word}"
        for number, (name, words) in enumerate(stages.items(), 1)
        for word in ("", *words)
        if word.partition("=")[0] not in FREE
    }


def read(path: Path) -> dict[str, dict]:
    try:
        stages = json.loads(path.read_text(encoding="utf-8"))["stages"]
        return {name: {"words": x["words"], "best": x["best"]} for name, x in stages.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(f"{path} is no curriculum.json: delete it to start anew") from None


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
