"""Progress of a training that is visible: a bar or lines, and TensorBoard's pictures."""

import sys
import time

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ProgressBar, RichProgressBar
from torch import Tensor
from torchvision.utils import make_grid

from bgm.errors import check_at_least
from bgm.ops import composite, crop_to, resize
from bgm.train.tensorboard import TolerantTensorBoardLogger
from bgm.types import Batch, Coarse, Refined


class PictureGrids(pl.Callback):
    """Log one grid for training (every n steps) and one for validation (first scenes, every time).

    Columns: src, bgr, true pha, pha, err, ref (refined networks), composite over green.
    """

    def __init__(self, every_n_steps: int = 500, rows: int = 4):
        check_at_least("callbacks.pictures", 1, every_n_steps=every_n_steps, rows=rows)
        self.every_n_steps, self.rows = every_n_steps, rows
        self.kept: list[Tensor] = []

    @torch.no_grad()
    def on_train_batch_end(self, trainer, module, outputs, batch: Batch, batch_idx: int) -> None:
        if trainer.global_step % self.every_n_steps or not trainer.is_global_zero:
            return
        few = Batch(*(x[: self.rows] for x in batch))
        # Without module.eval(): BatchNorm in evaluation mode would show another network, but a
        # forward pass in training mode would move its statistics.
        module.eval()
        pred = module(few.src, few.bgr)
        module.train()
        self.write(trainer, "train/pictures", make_grid(grid(few, pred), nrow=columns(pred)))

    def on_validation_batch_end(
        self, trainer, module, outputs, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if trainer.is_global_zero and len(self.kept) < self.rows and not trainer.sanity_checking:
            pred, true = module.padded(Batch(*(x[:1] for x in batch)))
            self.kept.append(make_grid(grid(true, pred), nrow=columns(pred)))

    def on_validation_epoch_end(self, trainer, module) -> None:
        if self.kept:
            W = min(x.shape[2] for x in self.kept)
            rows = [resize(x[None], [x.shape[1] * W // x.shape[2], W])[0] for x in self.kept]
            self.write(trainer, "val/pictures", torch.cat(rows, 1))
            self.kept = []

    def write(self, trainer, tag: str, picture: Tensor) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, TolerantTensorBoardLogger):
                logger.log_picture(tag, picture.float().cpu().clamp(0, 1), trainer.global_step)


def columns(pred: Coarse | Refined) -> int:
    return 7 if isinstance(pred, Refined) else 6


def grid(true: Batch, pred: Coarse | Refined) -> Tensor:
    """(B * columns, 3, H, W) in [0, 1], one picture after the other."""
    size = list(true.src.shape[2:])
    green = torch.tensor([0.1, 0.7, 0.3], device=true.src.device).view(1, 3, 1, 1)
    com = composite(pred.fgr, pred.pha, green)
    maps = [true.src, true.bgr, true.pha, pred.pha]
    if isinstance(pred, Refined):
        maps += [resize(pred.err_sm, size), torch.nn.functional.interpolate(pred.ref_sm, size)]
    else:
        maps += [pred.err]
    rows = [crop_to(m.float().expand(-1, 3, -1, -1), tuple(size)) for m in [*maps, com]]
    return torch.stack(rows, 1).flatten(0, 1)


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
