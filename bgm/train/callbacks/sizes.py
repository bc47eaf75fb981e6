"""Sizes that change while training goes on: of the crops, of what the base network sees."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytorch_lightning as pl

from bgm.errors import BadInput
from bgm.model import MattingRefine


class GrowCrops(pl.Callback):
    """Set the range of crop sizes by progress: small pictures first, many more steps a minute.

    phases: rows [start, low, high], start the share of all steps from which the range is used.
    Subjects and backgrounds are placed at the size `high`: no pixel is moved that is cropped away.
    Raises BadInput for rows that are none.
    """

    def __init__(self, phases: list[list[float]]):
        one = len(phases) > 0 and all(isinstance(number, int | float) for number in phases)
        rows: Any = [list(phases)] if one else [list(row) for row in phases]
        if not rows or not all(len(row) == 3 and 0 < row[1] <= row[2] for row in rows):
            raise BadInput(f"phases are {rows}, expected rows [start, low, high], low above 0")
        self.phases = sorted(rows)

    def on_train_start(self, trainer, module) -> None:
        self.set(trainer)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx: int) -> None:
        self.set(trainer)

    def set(self, trainer) -> None:
        """Set the range for the next batch: a function of the step, so that runs resume."""
        share = trainer.global_step / trainer.estimated_stepping_batches
        low, high = [p[1:] for p in self.phases if p[0] <= share or p is self.phases[0]][-1]
        trainer.datamodule.augment.resize(int(high), (int(low), int(high)))


class VaryScale(pl.Callback):
    """Train a refined network at these backbone_scales in turn, a step each.

    A refiner that has seen one scale only mends nothing at another. Validation, and what is saved,
    keep the network's own scale. Raises BadInput for scales that are not above 0 and at most 1/2,
    and for a network without one: a base network.
    """

    def __init__(self, scales: float | Sequence[float]):
        scales = [scales] if isinstance(scales, int | float) else scales
        if not scales or not all(0 < scale <= 0.5 for scale in scales):
            raise BadInput(f"scales are {list(scales)}, expected numbers above 0 and at most 0.5")
        self.scales = [Fraction(scale).limit_denominator(1024) for scale in scales]

    def on_fit_start(self, trainer, module) -> None:
        if not isinstance(module.network, MattingRefine):
            raise BadInput(
                "callbacks.scales changes the backbone_scale of a refined network, found a "
                f"{type(module.network).__name__}: leave it out"
            )

    def on_train_batch_start(self, trainer, module, batch, batch_idx: int) -> None:
        self._own = module.network.scale_num, module.network.scale_den
        turn = trainer.fit_loop.total_batch_idx + 1  # a function of the step, so that runs resume
        now = self.scales[turn % len(self.scales)]
        module.network.scale_num, module.network.scale_den = now.as_integer_ratio()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx: int) -> None:
        module.network.scale_num, module.network.scale_den = self._own
