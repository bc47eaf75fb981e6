"""Every loss term equals the reference's, and the error terms do not pull on alpha."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bgm.losses import base_terms, refine_terms
from bgm.types import Batch, Coarse, Refined

GOLDEN = Path(__file__).parent / "golden" / "losses"
EXPECTED = json.loads((GOLDEN / "loss_expected.json").read_text())


@pytest.fixture
def case():
    z = {k: torch.from_numpy(v) for k, v in np.load(GOLDEN / "loss_inputs.npz").items()}
    pha, fgr = z["true_pha"].float() / 255, z["true_fgr"].float() / 255
    true = Batch(fgr, fgr, pha, fgr, torch.ones(len(pha), dtype=torch.bool))
    pred = {k.removeprefix("pred_"): v.requires_grad_() for k, v in z.items() if "pred" in k}
    return pred, true


def test_base_terms(case):
    pred, true = case
    terms = base_terms(Coarse(pred["pha"], pred["fgr"], pred["err"], None), true)
    for name, value in terms.items():
        assert float(value) == pytest.approx(EXPECTED["base"][name], abs=1e-6)
    assert float(sum(terms.values())) == pytest.approx(EXPECTED["base"]["total"], abs=1e-5)


def test_refine_terms(case):
    pred, true = case
    terms = refine_terms(refined_of(pred), true)
    for name, value in terms.items():
        assert float(value) == pytest.approx(EXPECTED["refine"][name], abs=1e-6)
    assert float(sum(terms.values())) == pytest.approx(EXPECTED["refine"]["total"], abs=1e-5)


def test_error_term_leaves_alpha_alone(case):
    pred, true = case
    refine_terms(refined_of(pred), true)["err"].backward()
    assert pred["err_sm"].grad.abs().sum() > 0
    assert pred["pha_sm"].grad is None


def test_no_fgr_no_fgr_term(case):
    pred, true = case
    without = true._replace(has_fgr=torch.zeros(2, dtype=torch.bool))
    assert (
        float(base_terms(Coarse(pred["pha"], pred["fgr"], pred["err"], None), without)["fgr"]) == 0
    )


def refined_of(pred):
    fields = ("pha", "fgr", "pha_sm", "fgr_sm", "err_sm")
    return Refined(*(pred[k] for k in fields), ref_sm=None)
