"""The metrics of eval.py while training: a torchmetrics.Metric, added up over all ranks."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bgm.errors import BadInput
from bgm.extras import extra_named
from bgm.metrics.protocols import metrics_of, score

with extra_named():
    import torchmetrics

PROTOCOL = "frame"


class MatteMetrics(torchmetrics.Metric):
    """Means over pictures of the frame protocol's metrics, on its scales.

    update(pred, true): mattes (B, 1, H, W), float in [0, 1], any size; both are rounded to 8 bits,
    so that the numbers are those of eval.py on the same scenes. They are computed on the CPU:
    about 0.1 s a picture of 1920x1080. compute: {metric: mean over all pictures of all ranks}.
    metrics: some of those that need no more than the mattes; None: all of them (`METRICS`).
    Raises BadInput for others, and for NaN in pred.
    """

    full_state_update = False
    totals: Tensor
    pictures: Tensor

    def __init__(self, metrics: Sequence[str] | None = None) -> None:
        super().__init__()
        metrics = [metrics] if isinstance(metrics, str) else metrics
        known = [name for name, row in metrics_of(PROTOCOL).items() if row.needs == "pha"]
        if strange := [m for m in metrics or () if m not in known]:
            raise BadInput(f"{', '.join(strange)} is not among the metrics {', '.join(known)}")
        self.metrics = tuple(known if metrics is None else metrics)
        self.add_state("totals", torch.zeros(len(self.metrics)), dist_reduce_fx="sum")
        self.add_state("pictures", torch.zeros(()), dist_reduce_fx="sum")

    @torch.no_grad()
    def update(self, pred: Tensor, true: Tensor) -> None:
        """Add the pictures of a batch."""
        if not torch.isfinite(pred).all():
            raise BadInput("the network's pha holds NaN or infinite values: lower lr or clip")
        for p, t in zip(_eight_bit(pred), _eight_bit(true), strict=True):
            row = score(p[0], t[0], protocol=PROTOCOL, only=self.metrics)
            self.totals += self.totals.new_tensor([row[m] for m in self.metrics])
            self.pictures += 1

    def compute(self) -> dict[str, Tensor]:
        """Mean over all pictures, per metric; NaN before the first one."""
        return dict(zip(self.metrics, self.totals / self.pictures, strict=True))


def _eight_bit(x: Tensor) -> Tensor:
    return (x.detach().float().clamp(0, 1) * 255).round().to(torch.uint8).cpu()
