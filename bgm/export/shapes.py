"""Fixed shapes of an exported file, as one asks for them: [batch, height, width]."""

from collections.abc import Sequence
from typing import NamedTuple

from bgm.errors import BadInput

SMALLEST = 64  # pixels a side: what prediction pads small pictures to


class Shape(NamedTuple):
    """The one shape that a file takes."""

    batch: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.batch}x{self.height}x{self.width}"


def fixed_shape(shape: Sequence[int] | None) -> Shape | None:
    """[B, H, W] checked; None (every shape) stays None. BadInput for a shape that is none."""
    if shape is None:
        return None
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise BadInput(f"shape is {shape}, expected three positive numbers [batch, height, width]")
    numbers = list(shape)
    if len(numbers) != 3 or any(type(n) is not int or n < 1 for n in numbers):
        raise BadInput(f"shape {numbers}: expected three positive numbers [batch, height, width]")
    batch, height, width = numbers
    if height % 4 or width % 4:
        raise BadInput(f"shape {numbers}: height {height} and width {width} must be divisible by 4")
    if min(height, width) < SMALLEST:
        raise BadInput(f"shape {numbers}: height and width must be at least {SMALLEST}")
    return Shape(batch, height, width)
