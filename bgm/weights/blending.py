"""Weights between two networks: what one knew, and what the other learnt after it."""

import torch
from torch import Tensor

from bgm.errors import BadInput
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
    if strange := [n for n in old if n not in after.state or old[n].shape != after.state[n].shape]:
        raise BadInput(
            f"before has {len(strange)} weights that after has not, or of another shape "
            f"({', '.join(strange[:3])}, ...): blend a network with one trained from it"
        )
    if missing := [n for n in after.state if n not in old and not n.startswith("refiner.")]:
        raise BadInput(f"before lacks {len(missing)} weights of after ({', '.join(missing[:3])})")
    return {name: _between(old.get(name), new, share) for name, new in after.state.items()}


def _between(old: Tensor | None, new: Tensor, share: float) -> Tensor:
    if not new.is_floating_point():
        return new
    return new.float() if old is None else torch.lerp(old.float(), new.float(), share)
