"""The trivial mattes that a network has to beat: nothing, and a background-difference key."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bgm.errors import BadInput
from bgm.metrics.arrays import colour, to_array

Picture = Sequence[Any]  # src, bgr and the true pha

# Of |src - bgr| (H, W, 3): maximum, mean or root mean square of a pixel's RGB.
DISTANCES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "max": lambda apart: apart.max(2),
    "mean": lambda apart: apart.sum(2) / 3,
    "euclid": lambda apart: np.sqrt((apart * apart).sum(2) / 3),
}
CLOSINGS = (0, 1, 2, 4, 7, 11, 16, 24)  # radii in pixels


def all_zero(src: Any, bgr: Any) -> NDArray[np.uint8]:
    """The matte of nobody there: (H, W) uint8 zeros for src and bgr (H, W, 3) or (3, H, W)."""
    return np.zeros_like(difference(src, bgr))


def difference(src: Any, bgr: Any, distance: str = "max") -> NDArray[np.uint8]:
    """|src - bgr| per pixel by one of `DISTANCES`, rounded to (H, W) uint8.

    src, bgr: (H, W, 3) or (3, H, W), uint8 or float in [0, 1], of one size (else BadInput).
    """
    if distance not in DISTANCES:
        raise BadInput(f"distance {distance!r} is unknown, expected one of {', '.join(DISTANCES)}")
    src = colour(src, "src")
    pair = (src, colour(bgr, "bgr", src.shape[:2]))
    one, other = (x * np.float32(1 if x.dtype == np.uint8 else 255) for x in pair)
    apart = np.abs(one - other).astype(np.float32)
    return np.rint(DISTANCES[distance](apart)).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class DifferenceKey:
    """A key on |src - bgr|: 0 below low, 1 from high on, a ramp between; then a closing.

    low, high in 0..255; high = low + 1 is a hard threshold, 1 where the difference is above low.
    closing: radius in pixels of the disc of a morphological closing, 0 for none.
    """

    low: int
    high: int
    distance: str = "max"
    closing: int = 0

    def __call__(self, src: Any, bgr: Any) -> NDArray[np.uint8]:
        """The matte (H, W) uint8 of src and bgr (H, W, 3) or (3, H, W)."""
        apart = _close(difference(src, bgr, self.distance), self.closing)
        return _ramp(self.low, self.high)[apart]


class TunedKey(NamedTuple):
    """The best key of its kind and its mean MAD, plain (0..1), over the pictures."""

    mad: float
    key: DifferenceKey


def tune_keys(
    pictures: Iterable[Picture],
    *,
    distances: Collection[str] = tuple(DISTANCES),
    closings: tuple[int, ...] = CLOSINGS,
) -> dict[str, TunedKey]:
    """Find the keys with the smallest mean MAD over a whole set, knowing its truth.

    pictures: (src, bgr, pha); src, bgr as for `difference`, pha a matte (H, W) or (1, H, W), uint8
    or float. One is held at a time. Returns hard and soft (ramp), each also _closing (radius > 0
    only), and best, the best of all. Every threshold and ramp on 0..255 is tried, exactly: a flat
    closing commutes with any monotone map, so one closed difference and its joint histogram with
    the truth (rounded to 8 bits) hold the errors of all. Raises BadInput without pictures.
    """
    choices = [(d, r) for d in distances for r in closings]
    joint = {choice: np.zeros((256, 256)) for choice in choices}
    number = 0
    for src, bgr, pha in pictures:
        number += 1
        for name in distances:
            apart = difference(src, bgr, name)
            true = _truth(pha, apart.shape)
            for radius in closings:
                joint[name, radius] += _joint(_close(apart, radius), true)
    if number == 0:
        raise BadInput("search over 0 pictures, expected at least 1")
    best: dict[str, TunedKey] = {}
    for (name, radius), counts in joint.items():
        for kind, (mad, low, high) in _search(counts / number).items():
            kind = f"{kind}_closing" if radius else kind
            now = TunedKey(mad, DifferenceKey(low, high, name, radius))
            best[kind] = min(best.get(kind, now), now, key=lambda tuned: tuned.mad)
    return best | {"best": min(best.values(), key=lambda tuned: tuned.mad)}


def _close(x: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    if radius == 0:
        return x
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.morphologyEx(x, cv2.MORPH_CLOSE, disc), np.uint8)


def _ramp(low: int, high: int) -> NDArray[np.uint8]:
    value = (np.arange(256) - low) * (255 / max(high - low, 1))
    return np.rint(value.clip(0, 255)).astype(np.uint8)


def _truth(pha: Any, size: tuple[int, ...]) -> NDArray[np.uint8]:
    true = to_array(pha, "pha")
    true = true[0] if true.ndim == 3 and true.shape[0] == 1 else true
    if true.shape != size:
        raise BadInput(f"pha {true.shape} and src {size} differ in size (H, W)")
    return true if true.dtype == np.uint8 else np.rint(true * 255).astype(np.uint8)


def _joint(key: NDArray[np.uint8], true: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of pixels by (difference, truth), (256, 256)."""
    index = key.astype(np.uint16) << 8 | true
    return np.bincount(index.ravel(), minlength=1 << 16).reshape(256, 256) / true.size


def _search(share: NDArray[np.float64]) -> dict[str, tuple[float, int, int]]:
    """Best (mad, low, high), hard and soft, for the share of pixels by (difference, truth)."""
    values = np.arange(256)
    cost = share @ (np.abs(values[:, None] - values) / 255)  # (difference, matte) -> error
    below, above = np.cumsum(cost[:, 0]), np.cumsum(cost[::-1, 255])[::-1]
    errors = below + np.append(above[1:], 0.0)  # 0 up to low, 1 beyond it
    low = int(np.argmin(errors))
    hard = soft = (float(errors[low]), low, low + 1)
    ramps = np.stack([_ramp(0, width) for width in range(256)]).astype(np.intp)
    for low in range(255):
        inside = np.s_[1 : 256 - low]  # widths, and steps above low
        index = ramps[inside, inside] + (values[inside] + low) * 256
        errors = below[low] + cost.ravel()[index].sum(axis=1)
        width = int(np.argmin(errors))
        soft = min(soft, (float(errors[width]), low, low + width + 1))
    return {"hard": hard, "soft": soft}
