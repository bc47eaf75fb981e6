"""The checkpoints of a run: the last step, so that it can go on, and the best so far."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint

from bgm.console import say
from bgm.errors import BadInput, Stopped, check_at_least
from bgm.metrics.metric import mode_of
from bgm.train.checkpointing.checkpoint_files import AtomicCheckpointIO


class LastCheckpoint(Checkpoint):
    """Write dirpath/last.ckpt every n steps, at an epoch's end, at the end, and when asked to stop.

    Written between two optimiser steps only: gradients that are still being accumulated are in no
    checkpoint. Where a validation follows a step, the checkpoint is written after it, with its
    scores: a run that is killed in the validation does the steps before it again, and then all of
    the validation. SIGTERM ends the run after the step, or the validation, in which it comes, with
    `Stopped`, before the first step (in Lightning's sanity check) too. Raises BadInput at the end
    when the last steps could not be written.
    """

    def __init__(self, dirpath: str, every_n_steps: int = 200):
        check_at_least("callbacks.last", 1, every_n_steps=every_n_steps)
        self.path, self.every_n_steps = Path(dirpath) / "last.ckpt", every_n_steps
        self.asked_to_stop = False  # this process, by SIGTERM
        self.step = 0  # optimiser steps at the end of the batch before
        self.due = False  # whether this step is to be written

    def on_sanity_check_start(self, trainer, module) -> None:
        self.take_note_of_sigterm()

    def on_sanity_check_end(self, trainer, module) -> None:
        self.stop_before_the_first_step(trainer)

    def on_train_start(self, trainer, module) -> None:
        self.step = trainer.global_step
        self.take_note_of_sigterm()
        self.asked_to_stop |= trainer.received_sigterm  # by Lightning's handler, until now
        self.stop_before_the_first_step(trainer)

    def take_note_of_sigterm(self) -> None:
        # Lightning's handler would broadcast among processes in the middle of a step; this one
        # takes a note. Lightning puts the handler back that was there before its own.
        if threading.current_thread() is threading.main_thread():  # where Python lets us
            signal.signal(signal.SIGTERM, self.note_signal)

    def stop_before_the_first_step(self, trainer) -> None:
        if trainer.strategy.reduce_boolean_decision(self.asked_to_stop, all=False):
            raise Stopped("stopped by SIGTERM before the first step: the same command starts again")

    def note_signal(self, signum: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True

    def on_train_batch_end(self, trainer, *args: Any) -> None:
        self.due = False
        if trainer.global_step == self.step or trainer.fast_dev_run:  # gradients are accumulated
            return
        self.step = trainer.global_step
        ends = trainer.is_last_batch or self.step == trainer.max_steps
        self.due = ends or self.step % self.every_n_steps == 0
        if validation_follows(trainer):
            self.due = True
        else:
            self.save_if_due(trainer)

    def on_validation_end(self, trainer, module) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking and self.due:
            self.save_if_due(trainer)

    def on_train_end(self, trainer, module) -> None:
        if reason := write_failure(trainer, self.path):
            raise BadInput(f"the last steps are not on disk: {self.path}: {reason}")

    def save_if_due(self, trainer) -> None:
        """Write the checkpoint if it is due or the run was asked to stop, which then ends."""
        stop = trainer.strategy.reduce_boolean_decision(self.asked_to_stop, all=False)
        if self.due or stop:
            trainer.save_checkpoint(self.path)
            self.due = False
        if stop:
            reason = write_failure(trainer, self.path)
            unwritten = f", which is not on disk ({reason})" if reason else ""
            raise Stopped(
                f"stopped by SIGTERM after step {self.step}{unwritten}: "
                f"go on with resume={self.path}"
            )


class BestCheckpoint(Checkpoint):
    """Write dirpath/FILENAME.ckpt after a validation whose score is better than all before.

    monitor: what is compared, as it is logged ("val/mad"); what is better is the metric's to say
    (`bgm.metrics.mode_of`). A checkpoint that could not be written counts as none. A resumed run
    that is scored by another metric, or on other scenes, begins its best anew.
    """

    def __init__(self, dirpath: str, monitor: str = "val/mad", filename: str = "best"):
        self.path, self.monitor = Path(dirpath) / f"{filename}.ckpt", monitor
        self.largest_is_best = mode_of(monitor) == "max"
        self.best_score: float | None = None
        self.scored_by = [monitor, ""]  # and the datamodule's name of its scenes, where it has one
        self.scored_before = self.scored_by  # what a resumed run's best score was scored by

    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self.best_score, "scored_by": self.scored_by}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_score = state_dict["best_score"]
        self.scored_before = state_dict.get("scored_by", self.scored_by)  # older ones do not say

    def on_fit_start(self, trainer, module) -> None:
        scored_on = getattr(trainer.datamodule, "scored_on", None)
        self.scored_by = [self.monitor, scored_on() if scored_on else ""]
        pairs = zip(self.scored_before, self.scored_by, strict=True)
        if any(then and then != now for then, now in pairs):
            self.compare_anew()

    def compare_anew(self) -> None:
        """Forget the best score, which cannot be compared with those to come, and say so."""
        if self.best_score is not None:
            say(
                f"the best {self.scored_before[0]} was {self.best_score:.4g}, by another metric or "
                f"on other scenes than {self.monitor} is now: the next validation is the best"
            )
        self.best_score = None

    def on_validation_end(self, trainer, module) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking or trainer.fast_dev_run:
            return
        if self.monitor not in trainer.callback_metrics:
            raise BadInput(
                f"callbacks.best.monitor={self.monitor} is none of "
                f"{', '.join(sorted(trainer.callback_metrics))}"
            )
        score = float(trainer.callback_metrics[self.monitor])
        if self.best_score is None or self.better(score, self.best_score):
            self.save(trainer, score)

    def better(self, score: float, than: float) -> bool:
        return score > than if self.largest_is_best else score < than

    def save(self, trainer, score: float) -> None:
        before, self.best_score = self.best_score, score  # a part of what is saved
        trainer.save_checkpoint(self.path)
        # One process writes; all go the same way.
        if trainer.strategy.broadcast(write_failure(trainer, self.path)):
            self.best_score = before


def validation_follows(trainer: Trainer) -> bool:
    """Whether the trainer validates after the batch at hand, by its documented options.

    False for a val_check_interval that is a time: it follows from no step.
    """
    every = trainer.check_val_every_n_epoch
    if not trainer.enable_validation or trainer.val_check_batch is None:
        return False
    if every is not None and (trainer.current_epoch + 1) % every:
        return False
    loop = trainer.fit_loop
    index = loop.total_batch_idx if every is None else loop.batch_idx
    return (index + 1) % trainer.val_check_batch == 0


def write_failure(trainer: Trainer, path: Path) -> str | None:
    """Why the latest try to write a checkpoint failed; known to the process that writes."""
    files = trainer.strategy.checkpoint_io
    return files.failed.get(str(path)) if isinstance(files, AtomicCheckpointIO) else None
