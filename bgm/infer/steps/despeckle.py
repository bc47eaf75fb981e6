"""Drop small islands of alpha; what hangs together, and every hole in it, stays as it is."""

import cv2
import numpy as np
import torch
from torch import Tensor

from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.frame import Frame

SEEN = 5 / 255  # alpha from which a pixel belongs to an island
SKIRT = 2  # px around a dropped island whose fainter alpha goes with it


def despeckle(pha: Tensor, pixels: float) -> Tensor:
    """pha (B, 1, H, W) without its islands of an area below `pixels`.

    An island is what hangs together, over corners too, of pixels above `SEEN`. Alpha becomes 0
    there and fainter pixels within `SKIRT` px of it; everything else keeps its value.
    """
    if pixels <= 1:
        return pha
    gone = np.stack([_islands(x, pixels) for x in pha[:, 0].float().cpu().numpy()])
    return torch.where(torch.from_numpy(gone)[:, None].to(pha.device), torch.zeros_like(pha), pha)


def _islands(alpha: np.ndarray, pixels: float) -> np.ndarray:
    """Where (H, W) the small islands and their skirts are."""
    seen = alpha > SEEN
    _, labels, stats, _ = cv2.connectedComponentsWithStats(seen.astype(np.uint8), connectivity=8)
    small = np.asarray(stats)[:, cv2.CC_STAT_AREA] < pixels
    small[0] = False  # the background
    dropped = small[labels]
    around = cv2.dilate(dropped.astype(np.uint8), np.ones((2 * SKIRT + 1,) * 2, np.uint8)) > 0
    kept = cv2.dilate((seen & ~dropped).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return dropped | (around & ~seen & ~kept)


class Despeckle:
    """`despeckle` as a step; pixels: area, in px of the picture."""

    def __init__(self, pixels: float) -> None:
        if not pixels > 0:
            raise BadInput(f"despeckle is {pixels}, expected an area in pixels above 0")
        self.pixels = pixels

    def __call__(self, frame: Frame, matte: Matte) -> Matte:
        return matte._replace(pha=despeckle(matte.pha, self.pixels))
