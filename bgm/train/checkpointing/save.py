"""The checkpoints of a run: the last step, so that it can go on, and the best so far."""

from copy import copy
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint

from bgm.errors import BadInput, Stopped
from bgm.train.checkpointing.stop_signals import StopSignals

BEST = ("current_score", "best_k_models", "kth_best_model_path", "kth_value")
BEST += ("best_model_path", "best_model_score", "_last_global_step_saved")


class LastCheckpoint(ModelCheckpoint):
    """Write last.ckpt every n steps, before a validation, at an epoch's end and when asked to stop.

    ModelCheckpoint does one of these: a run whose last step is no multiple of n would end without
    its last steps on disk. Written between two optimiser steps only: gradients that are still being
    accumulated are in no checkpoint. SIGTERM ends the run after the step in which it comes, or at
    once in a validation (of one process), with `Stopped`.
    """

    def __init__(self, dirpath: str, every_n_steps: int = 200):
        super().__init__(
            dirpath=dirpath,
            filename="last",
            every_n_train_steps=every_n_steps,
            enable_version_counter=False,
        )
        self.signals, self.unvalidated = StopSignals(), False

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "unvalidated": self.unvalidated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.unvalidated = state_dict.get("unvalidated", False)

    def on_train_start(self, trainer, pl_module) -> None:
        super().on_train_start(trainer, pl_module)
        self._last_global_step_saved = trainer.global_step  # it came from a checkpoint
        self.signals.catch(trainer)
        if self.unvalidated:  # written before a validation that never came to its end
            trainer.validating = True
            trainer.fit_loop.epoch_loop.val_loop.restarting = False
            trainer.fit_loop.epoch_loop.val_loop.run()
            trainer.training = True

    def on_train_batch_end(self, trainer, pl_module, *args) -> None:
        loop = trainer.fit_loop.epoch_loop
        if loop._should_accumulate():
            return
        self.signals.agree(trainer)
        self.unvalidated = loop._should_check_val_fx(trainer.fit_loop._data_fetcher)
        super().on_train_batch_end(trainer, pl_module, *args)
        # Not in on_train_epoch_end: a run that stops in the middle of an epoch has fetched one
        # batch more by then, and would lose it when it is resumed.
        ends = loop.batch_progress.is_last_batch or trainer.global_step == trainer.max_steps
        if ends or self.unvalidated or self.signals.term:
            self.save(trainer)
        if self.signals.requeue:
            self.signals.hand_to_slurm(trainer)
        self.leave(trainer)

    def on_validation_batch_end(self, trainer, *args: Any) -> None:
        if trainer.world_size == 1 and not trainer.sanity_checking:
            self.signals.agree(trainer)
            self.leave(trainer)

    def on_validation_end(self, trainer, pl_module) -> None:
        super().on_validation_end(trainer, pl_module)
        self.unvalidated = False

    def on_train_end(self, trainer, pl_module) -> None:
        super().on_train_end(trainer, pl_module)
        reason = self.failure(trainer)
        if reason:
            raise BadInput(f"the last steps are not on disk: {self.path(trainer)}: {reason}")

    def save(self, trainer) -> None:
        if self._last_global_step_saved != trainer.global_step:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def leave(self, trainer) -> None:
        """End the run when it was asked to, saying what is on disk."""
        if not self.signals.term or trainer.state.fn != "fit":
            return
        said = f"stopped by SIGTERM after step {trainer.global_step}"
        reason = self.failure(trainer)
        if reason:
            said += f", which is not on disk ({reason})"
        raise Stopped(f"{said}: go on with resume={self.path(trainer)}")

    def path(self, trainer) -> str:
        return self.format_checkpoint_name(self._monitor_candidates(trainer))

    def failure(self, trainer) -> str | None:
        return why_unwritten(trainer, self.path(trainer))


class BestCheckpoint(ModelCheckpoint):
    """ModelCheckpoint that takes a file which could not be written for no best one."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.current_score = state_dict.get("current_score")

    def _update_best_and_save(self, current, trainer, monitor_candidates) -> None:
        before = {name: copy(getattr(self, name)) for name in BEST}
        super()._update_best_and_save(current, trainer, monitor_candidates)
        reason = why_unwritten(trainer, self._last_checkpoint_saved)
        # All processes have to go the same way: they vote on whether there is a new best one.
        if trainer.strategy.broadcast(reason):
            for name, value in before.items():
                setattr(self, name, value)


def why_unwritten(trainer, path: str) -> str | None:
    """Why the latest try to write a checkpoint failed; known to the process that writes."""
    return getattr(trainer.strategy.checkpoint_io, "failed", {}).get(str(path))
