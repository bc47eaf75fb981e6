"""What each numeric precision of an exported file may cost."""

from typing import NamedTuple

from bgm.errors import BadInput


class Allowed(NamedTuple):
    """Absolute differences from the float32 network in eager PyTorch, over any one output."""

    largest: float
    mean: float


# float16 has 11 significant bits: alpha within 2e-3 in the mean. A near tie in err may choose
# another patch, whose pixels are then off by all that refining changes: the largest says little.
PRECISIONS = {
    "float32": Allowed(1e-4, 1e-4),
    "float16": Allowed(1.0, 2e-3),
    "int8": Allowed(1.0, 5e-2),
}


def known_precision(precision: str, offered: tuple[str, ...], name: str) -> str:
    """precision, or BadInput when the target does not offer it."""
    if precision not in offered:
        raise BadInput(f"precision {precision} is not offered by {name}: {', '.join(offered)} are")
    return precision
