"""Signals that ask a run to stop: noted when they come, obeyed between two steps."""

import signal
import threading
from types import FrameType

from pytorch_lightning.plugins.environments import SLURMEnvironment


class StopSignals:
    """SIGTERM, and SLURM's requeue signal, of any of a run's processes.

    Lightning's handlers broadcast among processes, and write SLURM's checkpoint, in the middle of
    whatever a step is doing; these only take a note. Lightning puts the old handlers back at the
    end of the training.
    """

    def __init__(self) -> None:
        self.term = self.requeue = False  # what all processes have agreed on
        self._noted = {"term": False, "requeue": False}  # of this one, at any moment

    def catch(self, trainer) -> None:
        """Take over from Lightning's handlers, in the main thread (no other may)."""
        if threading.current_thread() is not threading.main_thread():
            return
        signal.signal(signal.SIGTERM, self._on_term)
        cluster = trainer._accelerator_connector.cluster_environment
        if isinstance(cluster, SLURMEnvironment) and cluster.auto_requeue:
            wanted = cluster.requeue_signal or getattr(signal, "SIGUSR1", None)
            # submitit has a handler of its own for the signal that it asks SLURM for
            lightnings = getattr(trainer._signal_connector, "_slurm_sigusr_handler_fn", None)
            handler = signal.getsignal(wanted)
            if lightnings in getattr(handler, "signal_handlers", ()):
                signal.signal(wanted, self._on_requeue)

    def agree(self, trainer) -> None:
        """Let all processes know what one of them was asked; all of them must call this."""
        any_of = trainer.strategy.reduce_boolean_decision
        asked = [self._noted["term"], self._noted["requeue"]]
        if trainer.world_size > 1:
            asked = [any_of(noted, all=False) for noted in asked]
        self.term, self.requeue = asked

    def hand_to_slurm(self, trainer) -> None:
        """Write SLURM's checkpoint and put the job back into the queue, as Lightning does it."""
        self.requeue = self._noted["requeue"] = False
        trainer._signal_connector._slurm_sigusr_handler_fn(signal.SIGUSR1, None)

    def _on_term(self, signum: int, frame: FrameType | None) -> None:
        self._noted["term"] = True

    def _on_requeue(self, signum: int, frame: FrameType | None) -> None:
        self._noted["requeue"] = True
