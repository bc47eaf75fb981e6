"""A subject in colours or a pattern of the place it stands in, under its own light."""

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

COLOURS = 4  # clothes, hair, skin, and one more
PIXELS = 400  # of the subject, looked at to find them
ROUNDS = 4
WIDTH = 0.09  # how far colours reach into each other, in units of the picture
PATCH = 8  # a colour of the place is the mean of a square of an eighth of its side
INSIDE = 127  # alpha above which a pixel's colour is the subject's
SHADING = 0.6  # share of its own light and folds that a subject in the place's pattern keeps


def recoloured(
    fgr: Tensor,
    pha: Tensor,
    place: Tensor,
    rng: Generator,
    share: float = 0.6,
    pattern: float = 0.25,
) -> Tensor:
    """fgr (3, H, W) uint8 with some of its colours exchanged for those of place (3, h, w) uint8.

    The colours of the subject (pha (1, H, W) uint8) fall into COLOURS groups, softly. Each with
    probability share moves to the mean colour of some square of the place, or, with probability
    pattern of these, takes the place's pattern under the subject's own shading.
    """
    inside = np.flatnonzero(pha[0].numpy() > INSIDE)
    if len(inside) < COLOURS:
        return fgr
    colours = fgr.numpy().reshape(3, -1).T.astype(np.float32) / 255  # (N, 3)
    centres = grouped(colours[rng.choice(inside, PIXELS)], rng)
    H, W = fgr.shape[1:]
    field = fitted(place.numpy(), H, W).reshape(3, -1).T.astype(np.float32) / 255
    closeness = -np.square(colours[:, None] - centres).sum(2) / (2 * WIDTH**2)  # (N, COLOURS)
    weight = np.exp(closeness - closeness.max(1, keepdims=True))
    weight /= weight.sum(1, keepdims=True)
    change = np.zeros_like(colours)
    for group, centre in enumerate(centres):
        moved, patterned = rng.random() < share, rng.random() < pattern
        target = square_mean(place.numpy(), rng) * rng.uniform(0.85, 1.15)
        if moved and patterned:
            to = field + SHADING * (colours - centre) - colours
            change += weight[:, group, None] * to
        elif moved:
            change += weight[:, group, None] * (target - centre)
    out = np.rint(255 * (colours + change).clip(0, 1)).astype(np.uint8)
    return torch.from_numpy(np.ascontiguousarray(out.T.reshape(3, H, W)))


def grouped(colours: np.ndarray, rng: Generator) -> np.ndarray:
    """(COLOURS, 3): the middles of groups of colours (n, 3), by Lloyd's algorithm."""
    centres = colours[rng.choice(len(colours), COLOURS, replace=False)]
    for _ in range(ROUNDS):
        nearest = np.square(colours[:, None] - centres).sum(2).argmin(1)
        centres = np.stack(
            [
                colours[nearest == k].mean(0) if (nearest == k).any() else centres[k]
                for k in range(COLOURS)
            ]
        )
    return centres


def square_mean(place: np.ndarray, rng: Generator) -> np.ndarray:
    """(3,) in [0, 1]: the mean colour of a square somewhere in a place (3, h, w) uint8."""
    h, w = place.shape[1:]
    side = max(1, min(h, w) // PATCH)
    y, x = int(rng.integers(h - side + 1)), int(rng.integers(w - side + 1))
    return place[:, y : y + side, x : x + side].mean((1, 2), dtype=np.float32) / 255


def fitted(place: np.ndarray, height: int, width: int) -> np.ndarray:
    """A place (3, h, w) repeated, mirrored, or cut to (3, height, width), at its own scale."""
    h, w = place.shape[1:]
    pad = [(0, 0), (0, max(0, height - h)), (0, max(0, width - w))]
    return np.pad(place, pad, mode="symmetric")[:, :height, :width]


# These keep choices apart from those of the dataset below, which has the same draws.
