"""Loss terms: the reference's numbers, the others' worked out by hand; and their weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bgm.errors import BadInput
from bgm.losses import TERMS, check_weights, loss_terms, total_loss
from bgm.types import Batch, Coarse, Refined
from tests.test_configs import composed

GOLDEN = Path(__file__).parent / "golden" / "losses"
EXPECTED = json.loads((GOLDEN / "loss_expected.json").read_text())


@pytest.fixture
def case():
    z = {k: torch.from_numpy(v) for k, v in np.load(GOLDEN / "loss_inputs.npz").items()}
    pha, fgr = z["true_pha"].float() / 255, z["true_fgr"].float() / 255
    true = Batch(fgr, fgr, pha, fgr, torch.ones(len(pha), dtype=torch.bool))
    pred = {k.removeprefix("pred_"): v.requires_grad_() for k, v in z.items() if "pred" in k}
    coarse = Coarse(pred["pha"], pred["fgr"], pred["err"], None)
    fields = ("pha", "fgr", "pha_sm", "fgr_sm", "err_sm")
    return {"base": coarse, "refine": Refined(*(pred[k] for k in fields), None)}, true


@pytest.mark.parametrize("stage", ["base", "refine"])
def test_the_configs_weights_give_the_references_loss(case, stage):
    preds, true = case
    weights = composed("train", f"stage={stage}", "data_root=x").stage.loss
    terms = loss_terms(weights, preds[stage], true)
    assert {*terms, "total"} == set(EXPECTED[stage])
    for name, value in terms.items():
        assert value.item() == pytest.approx(EXPECTED[stage][name], abs=1e-6), name
    total = total_loss(weights, terms)
    assert float(total) == pytest.approx(EXPECTED[stage]["total"], abs=1e-5)
    doubled = dict.fromkeys(terms, 2.0)
    assert float(total_loss(doubled, terms)) == pytest.approx(2 * float(total), rel=1e-6)


def test_the_error_leaves_alpha_alone(case):
    preds, true = case
    loss_terms({"err": 1}, preds["refine"], true)["err"].backward()
    assert preds["refine"].err_sm.grad.abs().sum() > 0
    assert preds["refine"].pha_sm.grad is None


@pytest.mark.parametrize("name", ["fgr", "com_other"])
def test_a_foreground_that_is_not_known_does_not_count(case, name):
    preds, true = case
    unknown = true._replace(has_fgr=torch.zeros(2, dtype=torch.bool))
    assert float(loss_terms({name: 1}, preds["base"], true)[name]) > 0
    assert float(loss_terms({name: 1}, preds["base"], unknown)[name]) == 0


def column(*values):
    return torch.tensor(values).view(1, 1, -1, 1)


def test_the_other_terms_by_hand():
    """Two pixels of one gray; alpha 1 and 0.5 is predicted as 0.75 and 0.5, the colour is right.

    com_other, the mirrored plate 0.2: |1 * 0.75 + 0.2 * 0.25 - 1| and 0, in the mean 0.1.
    com_plate, the shot 0.9 and 0.6: |0.8 - 0.9| and |0.6 - 0.6|, in the mean 0.05.
    pha_transition: only the second pixel lies in the band, and it is right.
    """
    gray = column(1.0, 1.0).expand(1, 3, 2, 1)
    plate = column(0.2, 0.2).expand(1, 3, 2, 1)
    shot = column(0.9, 0.6).expand(1, 3, 2, 1)
    true = Batch(shot, plate, column(1.0, 0.5), gray, torch.tensor([True]))
    pred = Coarse(column(0.75, 0.5), gray, column(0.0, 0.0), None)
    terms = loss_terms({"com_other": 1, "com_plate": 1, "pha_transition": 1}, pred, true)
    assert [round(float(v), 6) for v in terms.values()] == [0.1, 0.05, 0.0]
    pred = pred._replace(pha=column(0.75, 0.3))
    assert float(loss_terms({"pha_transition": 1}, pred, true)["pha_transition"]) == pytest.approx(
        0.2
    )
    solid = true._replace(pha=column(1.0, 0.0))
    assert float(loss_terms({"pha_transition": 1}, pred, solid)["pha_transition"]) == 0


def test_the_laplacian_by_hand():
    """The difference is one pixel of a column of four.

    Blurred 11, 5, 1, 0 (/16) and halved 1/2, 1/32; back at four pixels .5, .3828125, .1484375,
    .03125. Level 0 is the mean of |1 - .5|, .3828125, .1484375, .03125, so .265625. Level 1: both
    of 1/2, 1/32 lie .234375 off their mean; times 2. Then there is one pixel, without detail.
    """
    true = Batch(*(column(0.0, 0.0, 0.0, 0.0),) * 4, torch.tensor([True]))
    pred = Coarse(column(1.0, 0.0, 0.0, 0.0), *(column(0.0, 0.0, 0.0, 0.0),) * 3)
    assert float(TERMS["pha_laplacian"](pred, true)) == pytest.approx(0.265625 + 2 * 0.234375)
    constant = pred._replace(pha=column(0.5, 0.5, 0.5, 0.5))
    assert float(TERMS["pha_laplacian"](constant, true)) == pytest.approx(0, abs=1e-6)


def test_the_other_background_is_the_next_pictures():
    """Alpha of the first picture is wrong by 0.25 in one of four pixels; the next plate is 0.7."""
    plates = torch.tensor([0.2, 0.7]).view(2, 1, 1, 1).expand(2, 3, 2, 1)
    gray, pha = torch.ones(2, 3, 2, 1), torch.ones(2, 1, 2, 1)
    true = Batch(gray, plates, pha, gray, torch.tensor([True, True]))
    wrong = pha.clone()
    wrong[0, 0, 0] -= 0.25
    pred = Coarse(wrong, gray, pha, None)
    assert float(TERMS["com_other"](pred, true)) == pytest.approx(0.25 * (1 - 0.7) / 4)


@pytest.mark.parametrize("weight", [0, 0.0, None])
def test_a_term_without_weight_is_not_computed(case, monkeypatch, weight):
    preds, true = case
    monkeypatch.setitem(TERMS, "pha_laplacian", lambda pred, true: pytest.fail("it was computed"))
    assert list(loss_terms({"pha": 1, "pha_laplacian": weight}, preds["base"], true)) == ["pha"]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"pha": 1, "alpha": 1}, "loss names alpha, a base network has the terms com_other, "),
        ({"pha": 1, "pha_sm": 1}, "loss names pha_sm, a base network"),
        ({"pha": 0, "err": None}, "expected none below 0 and one above 0"),
        ({}, "expected none below 0 and one above 0"),
        ({"pha": 1, "err": -1}, "expected none below 0"),
    ],
)
def test_weights_that_mean_nothing(weights, said):
    with pytest.raises(BadInput, match=said):
        check_weights(weights, refined=False)


def test_every_term_has_a_line_in_the_config():
    assert set(TERMS) == set(composed("train", "stage=refine", "data_root=x").loss)
