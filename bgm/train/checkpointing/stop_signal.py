"""SIGTERM asks a run to stop: noted when it comes, obeyed between two steps."""

import signal
import threading
from types import FrameType

from pytorch_lightning import Trainer


class StopSignal:
    """Whether SIGTERM has come to one of a run's processes.

    Lightning's handler would broadcast among processes in the middle of a step; this one only takes
    a note. Lightning puts the handler back that was there before its own.
    """

    def __init__(self) -> None:
        self.came = False  # to this process

    def catch(self) -> None:
        """Handle SIGTERM from now on; in the main thread, where Python lets us."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._take_note)

    def came_to_any(self, trainer: Trainer) -> bool:
        """Whether it has come to any process; all of them must call this."""
        if trainer.world_size == 1:
            return self.came
        return trainer.strategy.reduce_boolean_decision(self.came, all=False)

    def _take_note(self, signum: int, frame: FrameType | None) -> None:
        self.came = True
