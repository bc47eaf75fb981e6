"""Weights between two networks: what one knew, and what the other learnt after it."""

import torch
from torch import Tensor

from bgm.errors import BadInput
from bgm.weights.fitting import match_keys
from bgm.weights.formats import Stored
from bgm.weights.initialise import in_place_of


def blend_weights(before: Stored, after: Stored, share: float) -> dict[str, Tensor]:
    """The state (1 - share) * before + share * after, in float32, with after's names.

    after: trained from before, as one straight line between their weights is of low loss only then;
    before may be a base network and after a refined one, whose refiner then stays as it is.
    BatchNorm's statistics are blended as the weights, its counts are after's. share in [0, 1].
    Raises BadInput for networks of other parts or shapes, and for a share outside.
    Source: Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT), equation 1.
    """
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise BadInput(f"share is {share}, expected 0 (all before) to 1 (all after)")
    refined = any(name.startswith("base.") for name in after.state)
    old = in_place_of(before.state, refined)
    report = match_keys(after.state, old)
    missing = [name for name in report.missing if not name.startswith("refiner.")]
    if missing or report.left_over or report.reshaped:
        raise BadInput(f"before is no network that after was trained from: {report}")
    return {name: _between(old.get(name), new, share) for name, new in after.state.items()}


def _between(old: Tensor | None, new: Tensor, share: float) -> Tensor:
    if not new.is_floating_point():
        return new
    return new.float() if old is None else torch.lerp(old.float(), new.float(), share)
