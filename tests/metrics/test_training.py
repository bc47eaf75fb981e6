"""The metric of training says what eval.py says, however the pictures are dealt out."""

import math

import pytest
import torch

from bgm.errors import BadInput
from bgm.metrics import METRICS, score
from bgm.metrics.training import MatteMetrics


def mattes(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.rand(2, n, 1, 13, 18, generator=torch.Generator().manual_seed(3))
    return x[0], x[1]


def expected(pred: torch.Tensor, true: torch.Tensor) -> dict[str, float]:
    eight = [(x * 255).round().to(torch.uint8) for x in (pred, true)]
    rows = [score(p[0], t[0], protocol="frame") for p, t in zip(*eight, strict=True)]
    return {m: sum(row[m] for row in rows) / len(rows) for m in rows[0]}


def test_means_are_those_of_eval() -> None:
    pred, true = mattes(5)
    metric = MatteMetrics()
    assert math.isnan(metric.compute()["mad"])
    metric.reset()
    metric.update(pred[:2], true[:2])
    metric.update(pred[2:], true[2:])
    found = {m: float(v) for m, v in metric.compute().items()}
    assert found == pytest.approx(expected(pred, true), rel=1e-5)
    assert list(found) == [m for m, row in METRICS.items() if row.needs == "pha"]


def test_one_metric_needs_no_brackets() -> None:
    assert MatteMetrics("mad").metrics == ("mad",)


def test_ranks_of_unequal_shares_are_added_up() -> None:
    pred, true = mattes(5)
    ranks = [MatteMetrics(["mad", "grad"]) for _ in range(3)]  # the third one has nothing
    ranks[0].update(pred[:1], true[:1])
    ranks[1].update(pred[1:], true[1:])
    total = MatteMetrics(["mad", "grad"])
    for name, how in total._reductions.items():  # what torchmetrics does over ranks
        setattr(total, name, how(torch.stack([getattr(rank, name) for rank in ranks])))
    total._update_count = 1
    whole = expected(pred, true)
    assert {m: float(v) for m, v in total.compute().items()} == pytest.approx(
        {m: whole[m] for m in ("mad", "grad")}, rel=1e-5
    )


def test_bad_input_is_named() -> None:
    with pytest.raises(BadInput, match="fgr_mse is not among the metrics mad"):
        MatteMetrics(["fgr_mse"])
    pred, true = mattes(1)
    with pytest.raises(BadInput, match="NaN"):
        MatteMetrics().update(pred / 0 - pred / 0, true)
