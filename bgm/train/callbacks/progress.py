"""Progress of a training that is visible on any output."""

import sys
import time

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar, RichProgressBar


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
