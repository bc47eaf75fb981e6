"""What each numeric precision of an exported file may cost."""

from typing import NamedTuple

from bgm.errors import BadInput


class Allowed(NamedTuple):
    """Absolute differences from the float32 network in eager PyTorch, over any one output.

    mean: of a batch. steered: the same on pictures that steer a twin's error, see `contents`.
    mad_rise: relative, by how much alpha may be worse on a matting set than the network's.
    """

    largest: float
    mean: float
    steered: float
    mad_rise: float


# float16 has 11 significant bits: alpha within 2e-3 in the mean. Its largest error tells boxes in
# float16 (0.3 at a width of 3840) from rounding (7e-3 with the demo's network). int8 is judged by
# the matting set. Its means catch what is broken: a right file of the demo's network is off by
# 2.3e-2 on noise, and by 0.22 on pictures all red or without red, like no calibration picture.
PRECISIONS = {
    "float32": Allowed(1e-4, 1e-4, 1e-4, 0.01),
    "float16": Allowed(2e-2, 2e-3, 2e-3, 0.05),
    "int8": Allowed(1.0, 5e-2, 0.3, 0.2),
}


def known_precision(precision: str, offered: tuple[str, ...], name: str) -> str:
    """precision, or BadInput when the target does not offer it."""
    if precision not in offered:
        raise BadInput(f"precision {precision} is not offered by {name}: {', '.join(offered)} are")
    return precision
