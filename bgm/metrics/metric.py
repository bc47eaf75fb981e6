"""The list of metrics: a row each. Add a row here, and scores, reports and validation have it."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from bgm.metrics.arrays import Mask, Pair, absolute, change, count, foreground, ratio, squared
from bgm.metrics.gradient_connectivity import Order, connectivity_error, gradient_error


class MetricInput(NamedTuple):
    """What a metric looks at: one picture's mattes, checked and of one type."""

    pha: Pair  # (H, W)
    mask: Mask = None  # (H, W), not 0 where pixels count; None: everywhere
    fgr: Any = None  # Pair (H, W, 3), where a metric needs it
    before: Any = None  # Pair (H, W), the mattes of the frame before, where a metric needs it
    order: Order = "rows"  # tie rule of conn
    grad_normalise: bool = True  # grad scales both mattes by their minimum and maximum


class Metric(NamedTuple):
    """One number about one picture.

    scale: the factor of the printed number, 1e3 for "x1e3"; papers differ, so a protocol may have
    another one. unit: of the plain value, "" for a mean over values in [0, 1]. function: the plain
    value, finite, or NaN where it is not defined. needs: alphas, foregrounds or the frame before.
    """

    name: str
    scale: float
    unit: str
    higher_is_better: bool
    function: Callable[[MetricInput], float]
    needs: Literal["pha", "fgr", "before"] = "pha"

    @property
    def label(self) -> str:
        """As the head of a column: "mad x1e3", "sad /1000 px", "psnr dB"."""
        return f"{self.name} {self.scale_label}"

    @property
    def scale_label(self) -> str:
        """The scale and the unit: "x1e3", "/1000 px", "dB"."""
        return scale_label(self.scale, self.unit)


def scale_label(scale: float, unit: str = "") -> str:
    """A factor and a unit as printed beside a number: "x1e3", "/1000 px", "dB", "x1"."""
    if scale == 1 and unit:
        return unit
    power = f"x1e{round(math.log10(scale))}" if scale > 1 else f"/{round(1 / scale)}"
    return f"{power if scale != 1 else 'x1'} {unit}".rstrip()


def _mean(total: float, m: MetricInput) -> float:
    return ratio(total, count(m.pha, m.mask))


def _fgr_mean(total: Callable[[Any, Mask], float], m: MetricInput) -> float:
    seen = foreground(m.pha, m.mask)
    return ratio(total(m.fgr, seen), count(m.pha, seen) * 3)


def _fg_mse(m: MetricInput) -> float:
    """BackgroundMattingV2's: summed where true > 0, divided by the whole unknown area."""
    return _mean(squared(m.fgr, foreground(m.pha, m.mask)) / 3, m)


def _grad(m: MetricInput) -> float:
    return gradient_error(m.pha, m.mask, normalise=m.grad_normalise)


def _conn(m: MetricInput) -> float:
    return connectivity_error(m.pha, m.mask, order=m.order)


def _dtssd(m: MetricInput) -> float:
    return change(m.before, m.pha)


_ROWS = (
    Metric("mad", 1e3, "", False, lambda m: _mean(absolute(m.pha, m.mask), m)),
    Metric("mse", 1e3, "", False, lambda m: _mean(squared(m.pha, m.mask), m)),
    Metric("sad", 1e-3, "px", False, lambda m: absolute(m.pha, m.mask)),
    Metric("grad", 1e-3, "px", False, _grad),
    Metric("conn", 1e-3, "px", False, _conn),
    Metric("fg_mse", 1.0, "", False, _fg_mse, "fgr"),
    Metric("fgr_mse", 1e3, "", False, lambda m: _fgr_mean(squared, m), "fgr"),
    Metric("fgr_mad", 1e3, "", False, lambda m: _fgr_mean(absolute, m), "fgr"),
    Metric("dtssd", 1e2, "", False, _dtssd, "before"),  # 0 for the first frame of a clip
    Metric("dtssd_pairs", 1e2, "", False, _dtssd, "before"),  # no value for a first frame
)
METRICS = {metric.name: metric for metric in _ROWS}


def mode_of(monitor: str) -> Literal["min", "max"]:
    """Whether the best value of "val/mad", "old/psnr", "val/loss" is the least or the largest.

    What is no metric is a loss: less is better.
    """
    metric = METRICS.get(monitor.rpartition("/")[2])
    return "max" if metric is not None and metric.higher_is_better else "min"
