"""What each numeric precision of an exported file may cost."""

from typing import NamedTuple


class Tolerance(NamedTuple):
    """Absolute differences from the float32 network in eager PyTorch, over any one output.

    largest: of any value. mean: over a batch. steered: the same as mean, on pictures that steer the
    predicted error (`bgm.export.certify.test_pictures`). mad_rise: relative, by how much the MAD on
    a matting set may be worse than the network's.
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
    "float32": Tolerance(1e-4, 1e-4, 1e-4, 0.01),
    "float16": Tolerance(2e-2, 2e-3, 2e-3, 0.05),
    "int8": Tolerance(1.0, 5e-2, 0.3, 0.2),
}
