"""Which batches and sizes a certificate covers."""

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from bgm.errors import BadInput
from bgm.export.shapes import Shape
from bgm.model.patches import refiner_of

BATCHES = (1, 2, 3, 5)
SQUARE, UPRIGHT = (64, 64), (96, 64)
ODD = (68, 132)  # what prediction pads 67x131 to: 17 x 33 patches
TALL = (1060, 64)
WIDE = 1056  # half-precision coordinates go wrong beyond 1024 + 4
STRIP_4K = (64, 3840)


def default(net: nn.Module) -> list[Shape]:
    """Four batches of five sizes, and two long strips one at a time."""
    shapes = [
        Shape(b, *size) for size in (SQUARE, UPRIGHT, ODD, (100, 260), wide(net)) for b in BATCHES
    ]
    return [*shapes, Shape(1, *TALL), Shape(1, *STRIP_4K)]


def full(net: nn.Module) -> list[Shape]:
    """The default, the strips in all batches, and whole pictures up to 4K (gigabytes of memory)."""
    strips = [Shape(b, *size) for size in (TALL, STRIP_4K) for b in BATCHES[1:]]
    pictures = [Shape(1, 720, 1280), Shape(2, 1080, 1920), Shape(1, 2160, 3840)]
    return [*default(net), *strips, *pictures]


def brief(net: nn.Module) -> list[Shape]:
    """Two batches of two sizes: for a cell of the matrix."""
    return [Shape(b, *size) for size in (ODD, wide(net)) for b in (1, 2)]


def small(net: nn.Module) -> list[Shape]:
    """Three batches of three small sizes: for an evaluator that takes a minute for a megapixel."""
    return [Shape(b, *size) for size in (SQUARE, UPRIGHT, ODD) for b in (1, 2, 3)]


class ShapeGrid(NamedTuple):
    """Shapes to compare in, and the one to time."""

    shapes: Callable[[nn.Module], list[Shape]]
    timed: Shape


GRIDS = {
    "default": ShapeGrid(default, Shape(1, 540, 960)),
    "full": ShapeGrid(full, Shape(1, 1080, 1920)),
    "small": ShapeGrid(small, Shape(1, *ODD)),
    "brief": ShapeGrid(brief, Shape(1, 80, WIDE)),
}


def grid_of(name: str) -> ShapeGrid:
    """A grid by its name; BadInput names the known ones."""
    if name not in GRIDS:
        raise BadInput(f"grid {name!r} is unknown, expected one of {', '.join(GRIDS)}")
    return GRIDS[name]


def wide(net: nn.Module) -> tuple[int, int]:
    """Wider than 1024 + 4, and 5 % more patches than a sampling selection takes."""
    rows = -(-21 * sample_pixels(net) // (20 * 4 * WIDE))
    return 4 * max(20, rows), WIDE


def sample_pixels(net: nn.Module) -> int:
    """How many pixels of a picture net's selection refines at most; 0 where it sets no number."""
    return getattr(getattr(refiner_of(net), "select", None), "sample_pixels", 0)
