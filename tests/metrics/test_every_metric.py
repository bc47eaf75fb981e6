"""What every row of the table of metrics must do."""

import math

import numpy as np
import pytest

from bgm.metrics.arrays import Pair
from bgm.metrics.metric import METRICS, MetricInput, mode_of
from bgm.metrics.protocols import PROTOCOLS, metrics_of

EACH = pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))


def mattes(noise: float, *channels: int) -> Pair:
    """A disc's matte, or picture, and the same with noise as its prediction."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:48, :64]
    true = np.clip(20 - np.hypot(y - 24, x - 30), 0, 4) / 4
    true = np.repeat(true[..., None], channels[0], -1) if channels else true
    pred = np.clip(true + noise * rng.standard_normal(true.shape), 0, 1)
    return Pair(pred, true, 1)


def value(metric, noise: float) -> float:
    before = mattes(0.0) if metric.needs == "before" else None
    fgr = mattes(noise, 3) if metric.needs == "fgr" else None
    return metric.function(MetricInput(mattes(noise), fgr=fgr, before=before))


@EACH
def test_more_noise_is_worse(metric):
    values = [value(metric, noise) for noise in (0.0, 0.05, 0.2)]
    assert all(map(math.isfinite, values[1:]))
    assert values == sorted(values, reverse=metric.higher_is_better)
    assert len(set(values)) == 3


@EACH
def test_it_has_a_label_a_direction_and_a_protocol(metric):
    assert metric.label.startswith(metric.name)
    assert mode_of(f"val/{metric.name}") == ("max" if metric.higher_is_better else "min")
    assert any(metric.name in metrics_of(protocol) for protocol in PROTOCOLS)
