"""Ctrl-C and SIGTERM as a sentence, at a moment at which nothing is half done."""

import os
import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any

from bgm.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopOnSignal:
    """Inside its block a signal ends the run at the next `check`, and a second one at once.

    Both raise `Stopped`. Before the first check a signal ends at once: a block without checks is
    one that leaves nothing half done wherever it ends. Outside of the main thread, where Python has
    no signals, it does nothing; processes that are forked inside end as if it were not there. then:
    the end of the sentence, what goes on. signals: Ctrl-C and SIGTERM, or one of them.
    """

    def __init__(
        self, then: str = "resume=true goes on", signals: Sequence[signal.Signals] = SIGNALS
    ) -> None:
        self._then, self._signals = then, signals
        self._process = os.getpid()
        self._signal = ""
        self._waits = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._take) for number in self._signals}
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
        if os.getpid() != self._process:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        again, self._signal = bool(self._signal), signal.Signals(number).name
        if again or not self._waits:
            self._stop()

    def _stop(self) -> None:
        name = {"SIGINT": "Ctrl-C"}.get(self._signal, self._signal)
        raise Stopped(f"stopped by {name}: what was finished is kept, {self._then}")
