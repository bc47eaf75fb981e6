"""Two passes to one straight RGBA picture: true colour at hair, smooth colour inside."""

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
SOLID = 0.995  # alpha above this counts as inside
TRUSTED = 64  # samples of a rendering whose averages over a pixel or two need no denoising


def encode(x: Array) -> Array:
    """Linear light to sRGB, both in [0, 1]."""
    x = np.clip(x, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)


def shoulder(x: Array, white: float = 4.0) -> Array:
    """Compress highlights (Reinhard et al. 2002, eq. 4): white becomes 1, small values stay."""
    return x * (1 + x / white**2) / (1 + x)


def straight(clean: Array, noisy: Array, alpha: Array, trust: float) -> Array:
    """Linear straight colour (H, W, 3) of two premultiplied renderings (H, W, 4) and alpha (H, W).

    Inside the subject it is the denoised one. Nearer than two pixels to a place where alpha is
    partial the denoiser's estimate of a single pixel is not true, and it is divided by an alpha of
    few samples: there the colour is that of the samples, averaged over a pixel or two, divided by
    their alpha averaged likewise. trust in [0, 1]: how much of it comes from the noisy rendering,
    which is true but, with few samples, grainy; the rest from averages of the denoised one.
    Where too few samples hit, wider averages take over; so they do outside.
    """
    inside = cv2.erode((alpha >= SOLID).astype(np.float32), square(5))
    inside = cv2.blur(inside, (3, 3))[..., None]
    smooth = clean[..., :3] / np.maximum(clean[..., 3:], 1e-4)
    mixed = noisy[..., :3] * trust + clean[..., :3] * (1 - trust)
    edge = spread(mixed, noisy[..., 3])
    return (smooth * inside + edge * (1 - inside)).astype(np.float32)


def square(size: int) -> NDArray[np.uint8]:
    """A neighbourhood of size x size pixels."""
    return np.ones((size, size), np.uint8)


def spread(premultiplied: Array, weight: Array) -> Array:
    """Straight colour by normalised averages, everywhere the narrowest that has samples."""
    found = np.zeros_like(premultiplied)
    have = np.zeros(weight.shape, np.float32)
    for sigma in (1.2, 2.5, 6.0, 16.0, 40.0):
        colour = cv2.GaussianBlur(premultiplied, (0, 0), sigma)
        share = cv2.GaussianBlur(weight, (0, 0), sigma)
        use = np.clip(share * 5, 0, 1) * (1 - have)
        found += (colour / np.maximum(share, 1e-6)[..., None]) * use[..., None]
        have += use
    return found / np.maximum(have, 1e-6)[..., None]


def exposure(colour: Array, alpha: Array, target: float) -> float:
    """The factor that brings the subject's middle luminance towards target, within limits.

    Not all the way: dark people in dark clothes are darker than fair ones in white.
    """
    inside = alpha > 0.9
    if not inside.any():
        return 1.0
    light = colour[inside] @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    middle = float(np.exp(np.mean(np.log(np.clip(light, 0.003, 4.0)))))
    return float(np.clip((target / middle) ** 0.65, 0.25, 4.0))


def finished(colour: Array, factor: float) -> Array:
    """Linear light to sRGB as a camera would: exposed, highlights compressed."""
    return encode(shoulder(np.maximum(colour, 0) * factor * 1.15))


def picture(clean: Array, noisy: Array, alpha: Array, samples: int, target: float = 0.14) -> Array:
    """Straight RGBA (H, W, 4) in [0, 1], colour as sRGB."""
    alpha = np.clip(alpha, 0, 1)
    colour = straight(clean, noisy, alpha, min(1.0, samples / TRUSTED))
    near = cv2.dilate(alpha, square(25)) > 0  # nothing is stored far from the subject
    encoded = finished(colour, exposure(colour, alpha, target)) * near[..., None]
    return np.dstack([encoded, alpha]).astype(np.float32)


def scene(
    clean: Array,
    noisy: Array,
    alpha: Array,
    plate: Array,
    shadowed: Array,
    samples: int,
    target: float = 0.16,
) -> dict[str, Array]:
    """src, bgr, fgr (H, W, 3) and pha (H, W) of somebody in a room, sRGB in [0, 1].

    The shot is the person over the room with that person's shadows and reflections; light adds up
    linearly, as in a camera. The plate is the empty room.
    """
    alpha = np.clip(alpha, 0, 1)
    colour = straight(clean, noisy, alpha, min(1.0, samples / TRUSTED))
    shot = colour * alpha[..., None] + shadowed * (1 - alpha[..., None])
    # Exposed for the whole shot: a person in a dark corner is dark.
    factor = exposure(shot, np.ones_like(alpha), target)
    found = {"src": shot, "bgr": plate, "fgr": colour}
    done = {key: finished(value, factor).astype(np.float32) for key, value in found.items()}
    return done | {"pha": alpha.astype(np.float32)}


def faults(rgba: Array, gaps: bool = False) -> list[str]:
    """What makes a picture useless: nothing in it, nothing left out, holes in it, no light.

    gaps: whether it may be thin and full of them, as a plant is.
    """
    alpha = rgba[..., 3]
    covered = float((alpha > 0.5).mean())
    found = []
    if covered < (0.004 if gaps else 0.02):
        found.append("empty")
    if float((alpha > 0.01).mean()) > 0.985:
        found.append("no background")
    solid = alpha >= SOLID
    closed = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_CLOSE, square(9))
    deep = cv2.erode(closed, square(17), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    if not gaps and deep.any() and float((deep & ~solid).sum() / deep.sum()) > 0.04:
        found.append("holes")
    light = rgba[..., :3][alpha > 0.9]
    if light.size and float(light.mean()) < 0.06:
        found.append("dark")
    if not np.isfinite(rgba).all():
        found.append("not finite")
    return found
