"""Crop sizes that grow while training goes on."""

import pytorch_lightning as pl


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
