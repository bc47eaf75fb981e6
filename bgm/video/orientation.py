"""Which way up a decoded frame is shown: mirrored, and turned by quarters of a circle."""

import struct
from typing import Any, NamedTuple

from bgm.errors import BadInput

# Signs of a display matrix (a, b, c, d), x' = a x + c y and y' = b x + d y with y downwards
# (ISO 14496-12, 6.2.2), and how many quarters it turns counterclockwise.
QUARTERS = {(1, 0, 0, 1): 0, (0, -1, 1, 0): 1, (-1, 0, 0, -1): 2, (0, 1, -1, 0): 3}


class Orientation(NamedTuple):
    """First mirrored, left and right changing places, then turned counterclockwise."""

    mirrored: bool
    quarters: int


def orientation_of(frame: Any, path: object) -> Orientation:
    """How a frame of PyAV is to be shown; BadInput where it is turned by another angle."""
    matrix = next((x for x in frame.side_data if x.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return Orientation(False, 0)
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix)[:36])
    largest = max(abs(x) for x in (a, b, c, d)) or 1
    # Sides may be scaled; what is a thousandth of the largest number is rounding.
    a, b, c, d = (0 if abs(x) < largest / 1000 else (x > 0) - (x < 0) for x in (a, b, c, d))
    mirrored = a * d - b * c < 0
    quarters = QUARTERS.get((-a, -b, c, d) if mirrored else (a, b, c, d))
    if quarters is None:
        raise BadInput(
            f"video {path} is to be shown turned by {abs(frame.rotation)} degrees: expected "
            "quarters of a circle"
        )
    return Orientation(mirrored, quarters)
