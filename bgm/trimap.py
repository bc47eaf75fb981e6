"""Trimaps from true mattes: 0 known background, 128 unknown, 255 known foreground."""

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.errors import BadInput

LOW, HIGH, STEPS = 0.06, 0.96, 10
RULE = f"{LOW} < alpha < {HIGH}, {STEPS} dilations, {STEPS} erosions, 3x3 cross"


def trimap_of(
    true: NDArray[Any],
    low: float = LOW,
    high: float = HIGH,
    dilate: int = STEPS,
    erode: int = STEPS,
) -> NDArray[np.uint8]:
    """The trimap (H, W) of a true matte (H, W) uint8: low < alpha < high, grown, then shrunk.

    dilate, erode: iterations with a 3x3 cross; what lies beyond the border counts for neither.
    Raises BadInput for other types. Source: Lin et al. 2021, appendix D.2.
    """
    if true.dtype != np.uint8 or true.ndim != 2:
        raise BadInput(f"truth is {true.dtype} of shape {true.shape}, expected uint8 (H, W)")
    first, last = (Fraction(str(share)) * 255 for share in (low, high))  # 0.96 is no float
    levels = range(256)
    band = np.array([first < level < last for level in levels], np.uint8)
    known = np.array([255 if level >= last else 0 for level in levels], np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    unknown = cv2.dilate(band[true], cross, iterations=dilate)
    unknown = cv2.erode(unknown, cross, iterations=erode)
    return np.where(unknown > 0, np.uint8(128), known[true])
