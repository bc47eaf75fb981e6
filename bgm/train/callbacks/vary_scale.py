"""One refiner for several coarse sizes: the base network's share of the picture changes by step."""

from collections.abc import Sequence
from fractions import Fraction

import pytorch_lightning as pl

from bgm.errors import BadInput
from bgm.model import MattingRefine


class VaryScale(pl.Callback):
    """Train a refined network at these backbone_scales in turn, a step each.

    A refiner that has seen one scale only mends nothing at another. Validation, and what is saved,
    keep the network's own scale. Raises BadInput for scales that are not above 0 and at most 1/2,
    and for a network without one: a base network.
    """

    def __init__(self, scales: Sequence[float]):
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
