"""The loss terms of the two stages, by name; their sum is what training minimises."""

import torch
from torch import Tensor

from bgm.ops import resize, sobel
from bgm.types import Batch, Coarse, Refined


def base_terms(pred: Coarse, true: Batch) -> dict[str, Tensor]:
    """Loss terms of the base stage, Lin et al. 2021, eq. 1-4: pha, pha_sobel, fgr, err.

    pred and true at one size. Pictures whose has_fgr is False do not count in fgr. float32.
    """
    pha, fgr = pred.pha.float(), pred.fgr.float()
    return {
        "pha": l1(pha, true.pha),
        "pha_sobel": l1(sobel(pha), sobel(true.pha)),
        "fgr": fgr_l1(fgr, true.fgr, true.pha, true.has_fgr),
        "err": mse(pred.err.float(), (pha.detach() - true.pha).abs()),
    }


def refine_terms(pred: Refined, true: Batch) -> dict[str, Tensor]:
    """Loss terms of the refine stage: pha, pha_sobel and fgr at both sizes (_sm coarse), and err.

    The truth is resized bilinearly to the coarse size. The error's target is detached, as in the
    base stage; the reference forgets that here, so that its err term also pulls on pha_sm.
    """
    pha, fgr = pred.pha.float(), pred.fgr.float()
    pha_sm, fgr_sm = pred.pha_sm.float(), pred.fgr_sm.float()
    full, small = list(pha.shape[2:]), list(pha_sm.shape[2:])
    true_pha_sm, true_fgr_sm = resize(true.pha, small), resize(true.fgr, small)
    wrong = (resize(pha_sm.detach(), full) - true.pha).abs()
    return {
        "pha": l1(pha, true.pha),
        "pha_sm": l1(pha_sm, true_pha_sm),
        "pha_sobel": l1(sobel(pha), sobel(true.pha)),
        "pha_sm_sobel": l1(sobel(pha_sm), sobel(true_pha_sm)),
        "fgr": fgr_l1(fgr, true.fgr, true.pha, true.has_fgr),
        "fgr_sm": fgr_l1(fgr_sm, true_fgr_sm, true_pha_sm, true.has_fgr),
        "err": mse(resize(pred.err_sm.float(), full), wrong),
    }


def l1(pred: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error over everything."""
    return (pred - true).abs().mean()


def mse(pred: Tensor, true: Tensor) -> Tensor:
    """Mean squared error over everything."""
    return (pred - true).square().mean()


def fgr_l1(pred: Tensor, true: Tensor, pha: Tensor, has_fgr: Tensor) -> Tensor:
    """Mean absolute error of the foreground where pha > 0, divided by all pixels (reference)."""
    mask = (pha > 0) & has_fgr.view(-1, 1, 1, 1)
    return torch.where(mask, pred - true, 0.0).abs().mean()
