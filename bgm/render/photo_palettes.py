"""Colours of places, for people who wear them."""

from pathlib import Path

import cv2
import numpy as np

from bgm.errors import BadInput

COLOURS = 6  # of one place
MOST = 400  # places that are looked at
KINDS = (".jpg", ".jpeg", ".png", ".webp")


def palettes(folder: Path) -> list[list[list[float]]]:
    """Six main colours (sRGB in [0, 1]) of every picture below a folder, 400 at most.

    Raises BadInput for a folder that has none.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in KINDS)
    step = max(1, len(files) // MOST)
    found = [palette(path) for path in files[::step][:MOST]]
    if not any(found):
        raise BadInput(f"palettes={folder} holds no pictures: expected {' '.join(KINDS)}")
    return [colours for colours in found if colours]


def palette(path: Path) -> list[list[float]]:
    """The main colours of one picture, by k-means of a small copy; none if it cannot be read."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        return []
    small = cv2.resize(picture, (48, 48), interpolation=cv2.INTER_AREA)
    points = small.reshape(-1, 3)[:, ::-1].astype(np.float32) / 255
    cv2.setRNGSeed(0)
    rule = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 1e-3)
    _, _, centres = cv2.kmeans(  # type: ignore[call-overload] # no labels to start from
        points, COLOURS, None, rule, 2, cv2.KMEANS_PP_CENTERS
    )
    return [[round(float(c), 4) for c in colour] for colour in centres]
