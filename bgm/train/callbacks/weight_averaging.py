"""Averaged weights, for validation and for checkpoints."""

from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor

from bgm.errors import BadInput, check_at_least


class Ema(WeightAveraging):
    """Exponential moving average of the weights, used for validation and written to checkpoints.

    decay: share of the average that an update keeps; of update n at most (1 + n) / (10 + n), so
    that an early average is not one of the first weights (measured, with 0.98 every 10 steps:
    after 1,000 steps BatchNorm's statistics were so old that alpha was 0).
    Lightning 2.6.6 validates and writes the *initial* weights until the average has been updated
    once (issue 21724); this one leaves the network's own weights in place until then.
    """

    def __init__(
        self, decay: float = 0.999, update_every_n_steps: int = 1, update_starting_at_step: int = 0
    ):
        check_at_least("callbacks.ema", 1, update_every_n_steps=update_every_n_steps)
        if not 0 <= decay <= 1:
            raise BadInput(f"callbacks.ema.decay is {decay}, expected a share from 0 to 1")
        super().__init__(avg_fn=warmup_average(decay))
        self.every, self.first = update_every_n_steps, update_starting_at_step

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return step_idx is not None and step_idx >= self.first and step_idx % self.every == 0

    @property
    def is_updated(self) -> bool:
        """Whether the average has been updated once."""
        return self.state_dict()["latest_update_step"] > 0

    def on_validation_epoch_start(self, *args: Any) -> None:
        if self.is_updated:
            super().on_validation_epoch_start(*args)

    def on_validation_epoch_end(self, *args: Any) -> None:
        if self.is_updated:
            super().on_validation_epoch_end(*args)

    def on_train_end(self, *args: Any) -> None:
        if self.is_updated:
            super().on_train_end(*args)

    def on_save_checkpoint(self, *args: Any) -> None:
        if self.is_updated:
            super().on_save_checkpoint(*args)


def warmup_average(decay: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """What AveragedModel averages with: (average, weights, number of updates) -> average."""

    def average(old: Tensor, new: Tensor, updates: Tensor) -> Tensor:
        kept = min(decay, (1 + int(updates)) / (10 + int(updates)))
        return torch.lerp(new.to(old.dtype), old, kept) if old.is_floating_point() else new

    return average
