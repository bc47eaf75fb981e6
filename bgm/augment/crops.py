"""The size of a batch's pictures: anything in a range, or one of a list."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bgm.augment.rng import BatchRng
from bgm.errors import BadInput


def check_range(low: int, high: int, multiple: int, size: int) -> None:
    """Raise BadInput for a range of sides that is none, or is larger than size."""
    if not multiple <= low <= high <= size:
        raise BadInput(f"crop {low}-{high} does not lie in {multiple} (multiple)-{size} (size)")


def check_list(
    crops: Sequence[int | Sequence[int]], multiple: int, size: int
) -> list[tuple[int, int]]:
    """Sides, or [H, W], as pairs; BadInput unless they are multiples up to size."""
    pairs: list[Any] = [(c, c) if isinstance(c, int) else tuple(c) for c in crops]
    for pair in pairs:
        if len(pair) != 2 or not all(n % multiple == 0 < n <= size for n in pair):
            raise BadInput(
                f"crops has {list(pair)}, expected sides or [H, W] that are multiples of "
                f"{multiple} up to {size} (size)"
            )
    return pairs


def random_size(sides: tuple[int, int], multiple: int, rng: BatchRng) -> Tensor:
    """H and W (2,), each uniform in a range and rounded down to a multiple."""
    return torch.cat([rng.integers(*sides) for _ in range(2)]) // multiple * multiple


def random_choice(crops: list[tuple[int, int]], rng: BatchRng) -> Tensor:
    """One of the pairs (2,)."""
    return torch.tensor(crops[int(rng.integers(0, len(crops) - 1))])
