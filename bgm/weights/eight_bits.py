"""Large convolutions in 8 bits, so that the file of a network fits into a repository."""

from collections.abc import Mapping

import torch
from torch import Tensor

LARGE = 500_000  # numbers in a convolution: three of the ASPP
SCALE = ".scale"  # behind the name of a weight in 8 bits: float32, one a row (output channel)


def to_eight_bits(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with the large convolutions as int8 and, beside each, what its rows are to be
    multiplied by: the largest value of a row is 127.
    """
    out = {}
    for name, value in state.items():
        if value.ndim != 4 or value.numel() < LARGE or not value.is_floating_point():
            out[name] = value
            continue
        scale = value.float().abs().amax((1, 2, 3)).clamp_min(1e-12) / 127
        out[name] = torch.round(value.float() / scale[:, None, None, None]).to(torch.int8)
        out[name + SCALE] = scale
    return out


def from_eight_bits(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Undo `to_eight_bits`, in float32; other weights pass as they are."""
    scales = {name.removesuffix(SCALE): v for name, v in state.items() if name.endswith(SCALE)}
    return {
        name: value.float() * scales[name][:, None, None, None] if name in scales else value
        for name, value in state.items()
        if not name.endswith(SCALE)
    }
