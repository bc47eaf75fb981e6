"""TensorBoard's files, which no training depends on."""

import logging
from collections.abc import Callable
from typing import Any

from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

LOG = logging.getLogger("bgm.train")


class TolerantTensorBoardLogger(TensorBoardLogger):
    """Lightning's logger; what cannot be written, on a full disk say, is a gap in the curves.

    TensorBoard's writer dies of the first write that fails and raises that error ever after, in one
    that names the metric: another writer is made for what comes next.
    """

    writer: SummaryWriter | None = None

    @property
    @rank_zero_experiment
    def experiment(self) -> SummaryWriter:
        if self.writer is None:
            self.writer = SummaryWriter(log_dir=self.log_dir)
        return self.writer

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self._or_gap(super().log_metrics, metrics, step)

    def log_picture(self, key: str, picture: Tensor, step: int) -> None:
        """Log a picture (3, H, W) in [0, 1] under a name."""
        self._or_gap(lambda: self.experiment.add_image(key, picture, step))

    def save(self) -> None:
        self._or_gap(super().save)

    def finalize(self, status: str) -> None:
        self._or_gap(super().finalize, status)
        if self.writer is not None:
            self._or_gap(self.writer.close)

    def _or_gap(self, write: Callable[..., None], *args: Any) -> None:
        try:
            write(*args)
        except (OSError, ValueError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(cause, OSError):
                raise
            self.writer = None
            why = cause.strerror or cause
            LOG.warning("curves could not be written (%s): they have a gap, training goes on", why)
