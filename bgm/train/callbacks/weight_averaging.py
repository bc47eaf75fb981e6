"""Averaged weights, for validation and for checkpoints."""

from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning.callbacks import EMAWeightAveraging
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
