"""What is said of frames and shots: for programs, when one fails, when the run is stopped."""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from types import FrameType
from typing import Any, NamedTuple, TextIO

from bgm.errors import BadInput, Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopOnSignal:
    """Inside its block a signal ends the run at the next `check`, and a second one at once.

    Both raise `Stopped`. Before the first check a signal ends at once. Outside of the main thread,
    where Python has no signals, it does nothing.
    """

    def __init__(self) -> None:
        self._signal = ""
        self._waits = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._take) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def check(self) -> None:
        """Raise `Stopped` if a signal has come; from now on signals wait for the next check."""
        if self._signal:
            self._stop()
        self._waits = True

    def _take(self, number: int, _: FrameType | None) -> None:
        again, self._signal = bool(self._signal), signal.Signals(number).name
        if again or not self._waits:
            self._stop()

    def _stop(self) -> None:
        name = {"SIGINT": "Ctrl-C"}.get(self._signal, self._signal)
        raise Stopped(f"stopped by {name}: what was finished is kept, resume=true goes on")


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
