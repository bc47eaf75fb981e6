"""Callbacks of training: averaged weights, and progress that is visible on any output."""

import sys
import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import (
    EMAWeightAveraging,
    ProgressBar,
    RichProgressBar,
)
from torch import Tensor


class Ema(EMAWeightAveraging):
    """Exponential moving average of the weights, used for validation and written to checkpoints.

    decay: share of the average that an update keeps; of update n at most (1 + n) / (10 + n), so
    that an early average is not one of the first weights (measured, with 0.98 every 10 steps:
    after 1,000 steps BatchNorm's statistics were so old that alpha was 0).
    Lightning 2.6.6 validates and writes the *initial* weights until the average has been updated
    once (issue 21724); this one leaves the network's own weights in place until then.
    """

    def __init__(self, decay: float = 0.999, **given: Any):
        super().__init__(decay=decay, **given)
        self._kwargs["avg_fn"] = warming(decay)

    @property
    def averaged(self) -> bool:
        model = self._average_model
        return model is not None and int(model.n_averaged) > 0

    def on_validation_epoch_start(self, trainer, pl_module) -> None:
        if self.averaged:
            super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_end(self, trainer, pl_module) -> None:
        if self.averaged:
            super().on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer, pl_module) -> None:
        if self.averaged:
            super().on_train_end(trainer, pl_module)

    def on_save_checkpoint(self, trainer, pl_module, checkpoint) -> None:
        if self.averaged:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)


def warming(decay: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """What AveragedModel averages with: (average, weights, number of updates) -> average."""

    def average(old: Tensor, new: Tensor, updates: Tensor) -> Tensor:
        kept = min(decay, (1 + int(updates)) / (10 + int(updates)))
        return torch.lerp(new.to(old.dtype), old, kept) if old.is_floating_point() else new

    return average


class GrowCrops(pl.Callback):
    """Set the range of crop sizes by progress: small pictures first, many more steps a minute.

    phases: rows [start, low, high], start the share of all steps from which the range is used.
    Subjects and backgrounds are placed at the size `high`: no pixel is moved that is cropped away.
    """

    def __init__(self, phases: list[list[float]]):
        self.phases = sorted(phases)

    def on_train_start(self, trainer, module) -> None:
        self.set(trainer)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx: int) -> None:
        self.set(trainer)

    def set(self, trainer) -> None:
        """Set the range for the next batch: a function of the step, so that runs resume."""
        share = trainer.global_step / trainer.estimated_stepping_batches
        low, high = [p[1:] for p in self.phases if p[0] <= share or p is self.phases[0]][-1]
        trainer.datamodule.augment.resize(int(high), (int(low), int(high)))


class LineProgress(ProgressBar):
    """A line every few seconds, for logs and pipes where a progress bar draws nothing."""

    def __init__(self, seconds: float = 10.0):
        super().__init__()
        self.seconds = seconds

    def disable(self) -> None:
        self.seconds = float("inf")

    def on_train_start(self, trainer, module) -> None:
        self.start, self.last = time.monotonic(), time.monotonic()
        self.first_step = trainer.global_step

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx: int) -> None:
        now = time.monotonic()
        if now - self.last >= self.seconds and trainer.is_global_zero:
            self.last = now
            rate = (trainer.global_step - self.first_step) / (now - self.start)
            self.line(trainer, f"{rate:.2f} steps/s")

    def on_validation_end(self, trainer, module) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            self.line(trainer, "validated")

    def line(self, trainer, what: str) -> None:
        shown = {k: v for k, v in trainer.callback_metrics.items() if k in SHOWN}
        numbers = "  ".join(f"{k} {float(v):.4g}" for k, v in shown.items())
        total = trainer.estimated_stepping_batches
        print(f"step {trainer.global_step}/{total}  {numbers}  {what}", flush=True)


SHOWN = ("train/loss", "val/loss", "val/mad")


def progress() -> pl.Callback:
    """A rich progress bar on a terminal, lines elsewhere."""
    return RichProgressBar(leave=True) if sys.stdout.isatty() else LineProgress()
