"""What is said of frames and shots: for programs, and when one fails."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import NamedTuple, TextIO

from bgm.errors import BadInput

NAMED = 10  # of the failures, in the last sentence


class Failure(NamedTuple):
    """What could not be matted, and why."""

    what: str  # "frame clip7/0003", "shot B", "frame 0003 of shot B"
    reason: str


class Failures:
    """Collects what failed while the rest goes on. say: takes each sentence when it happens."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.all: list[Failure] = []

    def add(self, what: str, error: BadInput) -> None:
        """Name one failure; may be called from another thread."""
        self.all.append(Failure(what, str(error)))
        self.say(f"error: {what}: {error}")

    @contextmanager
    def of_shot(self, name: str, alone: bool) -> Iterator[None]:
        """A block whose BadInput ends this shot only; a shot that is alone raises it."""
        try:
            yield
        except BadInput as error:
            if alone:
                raise
            self.add(f"shot {name}", error)

    def end(self, done: str) -> None:
        """Raise BadInput that names what failed, if anything has. done: what there is."""
        if not self.all:
            return
        names = ", ".join(failure.what for failure in self.all[:NAMED])
        more = f" and {len(self.all) - NAMED} more" if len(self.all) > NAMED else ""
        raise BadInput(
            f"{len(self.all)} could not be matted: {names}{more};"
            f" {done}; mend them, and resume=true does only what is missing"
        )


PROGRESS = ("bar", "json", "none")


class FrameReports:
    """Writes {"shot", "frame", "of", "name", "state", "seconds", "out"} for each frame.

    frame counts from 1; of is null where a video does not say its length; state is done, skipped
    (whole already) or failed, with the reason as "error". seconds since the line before. file: None
    writes nothing.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._time = time.monotonic()
        self._shot, self._of, self._out = "", None, ""  # type: str, int | None, str

    def begin(self, shot: str, of: int | None, out: str) -> None:
        """The lines that follow are of this shot."""
        self._shot, self._of, self._out = shot, of, out
        self._time = time.monotonic()

    def frame(self, number: int, name: str, state: str, error: str | None = None) -> None:
        """Write one line; may be called from another thread."""
        if self._file is None:
            return
        with self._lock:
            now = time.monotonic()
            line = {"shot": self._shot, "frame": number, "of": self._of, "name": name}
            line |= {"state": state, "seconds": round(now - self._time, 4), "out": self._out}
            self._time = now
            if error is not None:
                line["error"] = error
            print(json.dumps(line, ensure_ascii=False), file=self._file, flush=True)


@contextmanager
def open_reports(progress: str) -> Iterator[FrameReports]:
    """Reports for progress=json, and then everything else that is printed goes to stderr."""
    if progress not in PROGRESS:
        raise BadInput(f"progress is {progress}, expected one of {', '.join(PROGRESS)}")
    if progress != "json":
        yield FrameReports()
        return
    reports = FrameReports(sys.stdout)
    with redirect_stdout(sys.stderr):
        yield reports
