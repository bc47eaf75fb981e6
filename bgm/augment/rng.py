"""Random numbers that belong to samples, not to batches: row i is a function of (seed, draw[i])."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

COLUMNS = 96  # more than all ingredients together ever ask for; BatchRng raises when it runs out
CHUNK = 1 << 18  # pixels a CPU works on at once: more leave its caches (1.4 times slower at 512 px)
D = TypeVar("D", bound=Any)  # a named tuple of (B, ...) tensors
SALT = 0xA06  # sets these numbers apart from those that the data room mixes from the same draw


class BatchRng:
    """Uniform numbers for a batch, handed out a column at a time, always in the same order.

    A column is used whether or not its ingredient is drawn, so that changing one probability
    leaves the other random choices of a sample as they were.
    """

    def __init__(self, seed: int, draws: list[int], salt: int = 0) -> None:
        mixed = (np.random.SeedSequence([seed, draw, SALT, salt]) for draw in draws)
        rows = [sequence.generate_state(2) for sequence in mixed]
        seeds = [int(row[0]) << 31 ^ int(row[1]) for row in rows]  # 63 bits
        numbers = [
            torch.rand(COLUMNS, generator=torch.Generator().manual_seed(s), dtype=torch.float64)
            for s in seeds
        ]
        self._columns = iter(torch.stack(numbers, dim=1))  # COLUMNS times (B,)

    def uniform(self, low: float, high: float) -> Tensor:
        """(B,) float32 uniform in [low, high]."""
        return (low + (high - low) * next(self._columns)).float()

    def chance(self, p: float) -> Tensor:
        """(B,) bool, true with probability p (never for 0, always for 1)."""
        return next(self._columns) < p

    def integers(self, low: int, high: int) -> Tensor:
        """(B,) int64 uniform in low..high, both included."""
        return (low + (high - low + 1) * next(self._columns)).long()


def apply_drawn(x: Tensor, draw: D, change: Callable[[Tensor, D], Tensor]) -> Tensor:
    """Pass the rows of x (B, ...) where draw.on to change(rows, draw of these rows); keep the rest.

    draw is a named tuple of (B, ...) CPU tensors with a bool field `on`; change keeps the shape.
    kornia's p computes the whole batch and then masks; this computes what was drawn.
    """
    if not draw.on.any():
        return x
    if draw.on.all():
        return change(x, draw)
    rows = draw.on.nonzero().squeeze(1)
    there = rows.to(x.device)
    return x.index_copy(0, there, change(x.index_select(0, there), take_rows(draw, rows)))


def row_chunks(pictures: int, pixels: int, device: torch.device) -> list[slice]:
    """Which of so many pictures to work on together: all of them on a GPU, few large ones on a CPU.

    It changes the speed only: what is done to a picture does not depend on the others.
    """
    step = max(1, CHUNK // pixels) if device.type == "cpu" else pictures
    return [slice(start, start + step) for start in range(0, pictures, step)]


def take_rows(draw: D, rows: Tensor | slice) -> D:
    """The given rows of every tensor in a named tuple of (B, ...) tensors."""
    return type(draw)(*(field[rows] for field in draw))
