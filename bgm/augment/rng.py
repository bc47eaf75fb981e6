"""Random numbers that belong to samples, not to batches: row i is a function of (seed, draw[i])."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from bgm.errors import BadInput

COLUMNS = 96  # more than all ingredients together ever ask for; BatchRng raises when it runs out
SALT = 0xA06  # sets these numbers apart from those that the data room mixes from the same draw

# What was drawn for one ingredient, on the CPU: "on" (B,) bool, its other numbers (B, ...).
Draw = dict[str, Tensor]


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

    def pair(self, most: float) -> Tensor:
        """(B, 2) float32 uniform in [-most, most]."""
        return torch.stack([self.uniform(-most, most) for _ in range(2)], dim=1)

    def chance(self, p: float) -> Tensor:
        """(B,) bool, true with probability p (never for 0, always for 1)."""
        return next(self._columns) < p

    def integers(self, low: int, high: int) -> Tensor:
        """(B,) int64 uniform in low..high, both included."""
        return (low + (high - low + 1) * next(self._columns)).long()


@dataclass(frozen=True)
class Ingredient(ABC):
    """Something that happens to a picture with probability p, by numbers drawn for each sample.

    Every field behind p is a range, out of which `draw` takes a number for each sample, uniformly,
    unless it says something else. `width` is softness, in pixels of a 512 picture. Raises BadInput
    for a probability or a share beyond 0 to 1, and for a number below 0.
    """

    SHARES: ClassVar[tuple[str, ...]] = ()  # fields that lie in 0 to 1, as p does

    p: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            most = 1.0 if field.name in ("p", *self.SHARES) else math.inf
            self.check(field.name, field.default, most)

    def check(self, name: str, default: Any, most: float) -> None:
        """Raise BadInput unless a field is a number, or a range, as by default, in 0 to most."""
        value, pair = getattr(self, name), isinstance(default, tuple)
        if not pair and not isinstance(default, int | float):
            return  # no number: the map of a shadow
        several = isinstance(value, Sequence) and not isinstance(value, str)
        numbers: Any = list(value) if several else [value]
        fits = several == pair and len(numbers) == 1 + pair
        fits &= all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
        fits = fits and 0 <= numbers[0] <= numbers[-1] <= most and math.isfinite(numbers[-1])
        if not fits:
            what = "a range [low, high]" if pair else "a number"
            to = "0 or more" if most == math.inf else f"in 0 to {most:g}"
            raise BadInput(f"{type(self).__name__} has {name} {value}, expected {what}, {to}")

    def draw(self, rng: BatchRng, unit: float) -> Draw:
        """Draw a column for p and one a range; unit: pixels of the picture that one of 512 is."""
        draw = {"on": rng.chance(self.p)}
        for field in fields(self)[1:]:
            number = rng.uniform(*getattr(self, field.name))
            draw[field.name] = unit * number if field.name == "width" else number
        return draw

    @abstractmethod
    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Do it to all rows of x (B, C, H, W), in [0, 1]; what is not drawn is not passed here."""


def per_sample(x: Tensor, like: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1) on the device of like."""
    return x.to(like.device)[:, None, None, None]


def take_rows(draw: Draw, rows: Tensor | slice) -> Draw:
    """What was drawn for these samples."""
    return {name: field[rows] for name, field in draw.items()}


def apply_drawn(x: Tensor, draw: Draw, change: Callable[[Tensor, Draw], Tensor]) -> Tensor:
    """Pass the rows of x (B, ...) where it is on to change(rows, draw of these); keep the rest.

    change keeps the shape. kornia's p would compute the whole batch and then mask.
    """
    if not draw["on"].any():
        return x
    if draw["on"].all():
        return change(x, draw)
    rows = draw["on"].nonzero().squeeze(1)
    there = rows.to(x.device)
    return x.index_copy(0, there, change(x.index_select(0, there), take_rows(draw, rows)))
