"""Subjects and places drawn in integers: a benchmark that needs no data and is the same anywhere.

The training generator (`bgm.data.Procedural`) draws better, in floats, whose last bits depend on
the machine; a benchmark that is compared by hash cannot.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgm.compose.drawing.place import draw_place
from bgm.compose.drawing.subject import draw_subject
from bgm.errors import BadInput

__all__ = ["draw"]

KINDS = {"subject": draw_subject, "place": draw_place}
SMALLEST = 32  # pixels a side


def draw(spec: dict[str, Any]) -> NDArray[np.uint8]:
    """The picture (H, W, C) of a manifest's entry: drawn, seed, size, time; BadInput for others."""
    try:
        kind, size = KINDS[spec["drawn"]], (int(spec["size"][0]), int(spec["size"][1]))
        seed, time = int(spec["seed"]), int(spec["time"])
    except (KeyError, TypeError, ValueError, IndexError):
        kind, seed, size, time = None, 0, (0, 0), 0
    if kind is None or min(size) < SMALLEST:
        raise BadInput(
            f"drawn source {spec} needs drawn ({' or '.join(KINDS)}), seed, time and size "
            f"(H, W, {SMALLEST} or more)"
        )
    return kind(seed, size, time)
