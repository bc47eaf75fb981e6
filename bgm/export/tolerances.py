"""How far an exported file may be from its network, by numeric precision."""

from typing import NamedTuple


class Tolerance(NamedTuple):
    """Absolute differences from the network, over any one output; see `certify.compare.Comparison`.

    largest: of any value. mean: over a batch. steered: the same as mean, on pictures that steer the
    predicted error (`bgm.export.certify.test_pictures`). rounding: times the error that rounding
    costs the network itself on the same pictures, allowed on top of each of these; it computes in
    float32, or, where half is true, exactly with weights rounded to float16. mad_rise: relative, by
    how much the MAD on a matting set may be worse than the network's.
    """

    largest: float
    mean: float
    steered: float
    rounding: float
    mad_rise: float
    half: bool = False


# float32: on noise, at scale 1/8, the shipped network in eager float32 is off by 1e-4 in alpha, and
# a right file by as much to the other side; on smooth pictures both by 1e-5. A fixed limit either
# refuses the one or lets wrong graphs pass with the other.
# float16 has 11 significant bits: alpha within 2e-3 in the mean. Its largest error tells boxes in
# float16 (0.3 at a width of 3840) from rounding (7e-3 with the demo's network), and where a trained
# network decides sharply, rounded weights alone move single pixels of noise by 2e-2.
# int8: its graph is proved in float32, before it is rounded (`certificate.prove_graph`); rounded,
# it is judged by the matting set alone. Drawn pictures are like none that it was calibrated with:
# the shipped networks are off by 0.05 to 0.6 in the mean there, small ones above all, and on
# composed photographs MAD moves by -2 to 19 %. int8_weights rounds no activation: MAD next to
# nothing.
PRECISIONS = {
    "float32": Tolerance(2e-5, 5e-6, 5e-6, 4.0, 0.01),
    "float16": Tolerance(2e-2, 2e-3, 2e-3, 3.0, 0.05, half=True),
    "int8": Tolerance(1.0, 1.0, 1.0, 4.0, 0.2),
    "int8_weights": Tolerance(1.0, 5e-2, 5e-2, 4.0, 0.05),
}
