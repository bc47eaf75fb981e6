"""One line of JSON for every frame, on the program's output, for other programs to follow."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

from bgm.errors import BadInput

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
