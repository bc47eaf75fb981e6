"""A plate out of shots in which the subject moves: the median of every pixel."""

import torch
from torch import Tensor

from bgm.errors import BadInput

FEWEST = 3  # of two, the median is one of them, with its subject
BYTES_A_VALUE = 24  # the strip, what sorting copies of it, and the places it returns


def median_plate(shots: Tensor, memory: float = 1e9) -> Tensor:
    """The plate (C, H, W) of shots (B, C, H, W) of a standing camera, floats.

    Right where the subject covers a place in fewer than half of the shots; of an even number the
    lower of the two in the middle. memory: bytes to work in; the picture is done in strips of rows.
    Raises BadInput for fewer than `FEWEST` shots.
    """
    B, C, _, W = shots.shape
    if B < FEWEST:
        raise BadInput(f"the median of {B} pictures is no plate: expected at least {FEWEST}")
    rows = max(1, int(memory / (BYTES_A_VALUE * B * C * W)))
    strips = shots.split(rows, dim=2)
    return torch.cat([strip.median(dim=0).values for strip in strips], dim=1)
