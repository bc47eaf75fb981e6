"""Named loss terms; a config gives each its weight (conf/loss), and training minimises the sum."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.errors import BadInput
from bgm.ops import composite, resize, sobel
from bgm.types import Batch, Coarse, Refined

Weights = Mapping[str, float | None]
Term = Callable[[Any, Batch], Tensor]  # of Coarse or Refined; terms with _sm take Refined only
TERMS: dict[str, Term] = {}


def term(name: str) -> Callable[[Term], Term]:
    """Make a function of prediction and truth known as a loss term of this name."""

    def register(function: Term) -> Term:
        TERMS[name] = function
        return function

    return register


def loss_terms(weights: Weights, pred: Coarse | Refined, true: Batch) -> dict[str, Tensor]:
    """Every term with a weight, as a scalar in float32 that is not yet weighted.

    A term of weight 0 or null is not computed.
    """
    return {name: TERMS[name](pred, true) for name, weight in weights.items() if weight}


def total_loss(weights: Weights, terms: Mapping[str, Tensor]) -> Tensor:
    """Weighted sum of terms, a scalar."""
    return torch.stack([value * (weights[name] or 0) for name, value in terms.items()]).sum()


def needs_refiner(name: str) -> bool:
    """Whether a term is of a refined network's coarse outputs: `sm` is a word of its name."""
    return "sm" in name.split("_")


def check_weights(weights: Weights, refined: bool) -> None:
    """Raise BadInput unless the weights name known terms, are not negative, and not all 0.

    refined: whether the network has a refiner.
    """
    known = sorted(name for name in TERMS if refined or not needs_refiner(name))
    if unknown := sorted(set(weights) - set(known)):
        kind = "refined" if refined else "base"
        raise BadInput(
            f"loss names {', '.join(unknown)}, a {kind} network has the terms {', '.join(known)}"
        )
    if any((w or 0) < 0 for w in weights.values()) or not any(weights.values()):
        raise BadInput(f"loss weights are {dict(weights)}, expected none below 0 and one above 0")


@term("pha")
def alpha_l1(pred: Coarse | Refined, true: Batch) -> Tensor:
    """Mean absolute error of alpha (Lin et al. 2021, eq. 1)."""
    return l1(pred.pha.float(), true.pha)


@term("pha_sobel")
def alpha_gradient_l1(pred: Coarse | Refined, true: Batch) -> Tensor:
    """Mean absolute error of alpha's Sobel gradient (Lin et al. 2021, eq. 1)."""
    return l1(sobel(pred.pha.float()), sobel(true.pha))


@term("fgr")
def foreground_l1(pred: Coarse | Refined, true: Batch) -> Tensor:
    """Mean absolute error of the foreground where alpha > 0 (Lin et al. 2021, eq. 2)."""
    return fgr_l1(pred.fgr.float(), true.fgr, true.pha, true.has_fgr)


def at_coarse_size(term: Term) -> Term:
    """The same term of pha_sm and fgr_sm; the truth is resized bilinearly."""

    def coarse_term(pred: Refined, true: Batch) -> Tensor:
        size = list(pred.pha_sm.shape[2:])
        small = true._replace(pha=resize(true.pha, size), fgr=resize(true.fgr, size))
        return term(pred._replace(pha=pred.pha_sm, fgr=pred.fgr_sm), small)

    return coarse_term


TERMS["pha_sm"] = at_coarse_size(alpha_l1)
TERMS["pha_sm_sobel"] = at_coarse_size(alpha_gradient_l1)
TERMS["fgr_sm"] = at_coarse_size(foreground_l1)


@term("err")
def predicted_error_mse(pred: Coarse | Refined, true: Batch) -> Tensor:
    """Mean squared error of the predicted error, at full size (Lin et al. 2021, eq. 3).

    Its target is detached; the reference forgets that in the refine stage, and pulls on pha_sm.
    """
    size = list(true.pha.shape[2:])
    pha, err = (pred.pha_sm, pred.err_sm) if isinstance(pred, Refined) else (pred.pha, pred.err)
    wrong = (resize(pha.detach().float(), size) - true.pha).abs()
    return (resize(err.float(), size) - wrong).square().mean()


@term("com_other")
def composite_l1(pred: Coarse | Refined, true: Batch) -> Tensor:
    """Mean absolute error of the composite over another background than the captured one.

    The other background is the plate of the next picture in the batch, which was drawn at random,
    mirrored (so that a batch of one has one, too). Pictures whose has_fgr is False do not count.
    """
    other = true.bgr.roll(1, 0).flip(-1)
    pred_com = composite(pred.fgr.float(), pred.pha.float(), other)
    true_com = composite(true.fgr, true.pha, other)
    counts = true.has_fgr.view(-1, 1, 1, 1)
    return torch.where(counts, pred_com - true_com, 0.0).abs().mean()


@term("com_plate")
def recomposite_l1(pred: Coarse | Refined, true: Batch) -> Tensor:
    """Mean absolute error of the composite over the known plate, compared with the shot itself."""
    return l1(composite(pred.fgr.float(), pred.pha.float(), true.bgr), true.src)


@term("pha_laplacian")
def alpha_laplacian_l1(pred: Coarse | Refined, true: Batch) -> Tensor:
    """Mean absolute errors of 5 levels of alpha's Laplacian pyramid, level l weighted by 2^l.

    Hou & Liu 2019, "Context-aware image matting". A constant offset of alpha is not seen.
    """
    pairs = zip(laplacians(pred.pha.float()), laplacians(true.pha), strict=True)
    return torch.stack([2**level * l1(*pair) for level, pair in enumerate(pairs)]).sum()


@term("pha_transition")
def transition_band_l1(pred: Coarse | Refined, true: Batch) -> Tensor:
    """Mean absolute error of alpha over the pixels with 0.02 < true alpha < 0.98; 0 without any."""
    band = (true.pha > 0.02) & (true.pha < 0.98)
    wrong = torch.where(band, pred.pha.float() - true.pha, 0.0).abs()
    return wrong.sum() / band.sum().clamp(min=1)


def l1(pred: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error over everything."""
    return (pred - true).abs().mean()


def fgr_l1(pred: Tensor, true: Tensor, pha: Tensor, has_fgr: Tensor) -> Tensor:
    """Mean absolute error of the foreground where pha > 0, divided by all pixels (reference)."""
    mask = (pha > 0) & has_fgr.view(-1, 1, 1, 1)
    return torch.where(mask, pred - true, 0.0).abs().mean()


def laplacians(x: Tensor, levels: int = 5) -> list[Tensor]:
    """Band-pass levels of a (B,1,H,W) picture, the finest first, each of half the size."""
    found = []
    for _ in range(levels):
        half = F.avg_pool2d(blur(x), 2, ceil_mode=True)
        found.append(x - resize(half, list(x.shape[2:])))
        x = half
    return found


def blur(x: Tensor) -> Tensor:
    """A (B,1,H,W) picture under the 5 x 5 binomial filter, its border repeated; any size."""
    line = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=x.device, dtype=x.dtype) / 16
    return F.conv2d(F.pad(x, (2, 2, 2, 2), "replicate"), torch.outer(line, line)[None, None])
