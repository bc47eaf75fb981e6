"""Trimaps from true mattes: 0 known background, 128 unknown, 255 known foreground."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


def trimap(
    pha: NDArray[np.uint8],
    low: float = 0.06,
    high: float = 0.96,
    dilate: int = 10,
    erode: int = 10,
) -> NDArray[np.uint8]:
    """The trimap of a true alpha (H, W), uint8: low < alpha < high is unknown, then grown, shrunk.

    dilate, erode: iterations with a 3x3 cross. What lies beyond the border counts for neither.
    Source: Lin et al. 2021, appendix D.2.
    """
    first, last = (Fraction(str(share)) * 255 for share in (low, high))
    levels = np.arange(256)
    unknown = np.array([first < int(a) < last for a in levels])[pha]
    for _ in range(dilate):
        unknown = _spread(unknown)
    known = ~unknown
    for _ in range(erode):
        known = _spread(known)
    foreground = np.array([int(a) >= last for a in levels])[pha]
    return np.where(known, np.where(foreground, 255, 0), 128).astype(np.uint8)


def _spread(x: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Grow what is True by a 3x3 cross."""
    out = x.copy()
    out[1:] |= x[:-1]
    out[:-1] |= x[1:]
    out[:, 1:] |= x[:, :-1]
    out[:, :-1] |= x[:, 1:]
    return out
