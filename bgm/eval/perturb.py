"""Perturbations of shots and plates, one at a time and by degrees: axes of robustness curves.

Every function takes an unbatched scene (`Batch` of (C, H, W), float in [0, 1]), a level and a seed,
and returns a scene of the same truth: pha, fgr and has_fgr stay. The neutral level returns the
scene as it came in, to the bit; the same seed gives the same scene.
"""

import io
import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bgm.pictures import to_uint8
from bgm.types import Batch

DIRECTIONS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # down, right


class Perturbation(NamedTuple):
    """One axis of the robustness curves."""

    levels: tuple[float, ...]
    apply: Callable[[Batch, float, int], Batch]  # scene, level, seed
    unit: str
    neutral: float | None  # the level that changes nothing; None: every level does


def shift_plate(scene: Batch, level: float, seed: int) -> Batch:
    """Move the plate by level pixels in one of four directions; its border is replicated.

    Along the axes, so that whole pixels interpolate nothing: misalignment, not blur.
    """
    down, right = DIRECTIONS[_integer(4, seed)]
    return scene._replace(bgr=_shift(scene.bgr, level * down, level * right))


def change_exposure(scene: Batch, level: float, seed: int) -> Batch:
    """Raise the plate to the power `level`: above 1 it is darker than the shot."""
    return scene._replace(bgr=scene.bgr**level)


def add_noise(scene: Batch, level: float, seed: int) -> Batch:
    """Add Gaussian noise of deviation `level` to shot and plate, to each its own; clamped."""
    if level == 0:
        return scene
    rng = torch.Generator().manual_seed(seed)
    src, bgr = ((x + level * torch.randn(x.shape, generator=rng)).clamp(0, 1) for x in scene[:2])
    return scene._replace(src=src, bgr=bgr)


def add_shadow(scene: Batch, level: float, seed: int) -> Batch:
    """Take up to a share `level` of the background's light in the shot: the subject's soft shadow.

    The shadow is alpha, moved sideways by a tenth of the short side and blurred. What lies behind
    is src - fgr * pha; where fgr is not known it is src, and (1 - pha) * src is what is dimmed.
    """
    short = min(scene.pha.shape[-2:])
    side = 1 if _integer(2, seed) else -1
    cast = _shift(scene.pha, short // 20, side * (short // 10), "constant")
    shade = _box(_box(cast, short // 20), short // 20)
    behind = (scene.src - scene.fgr * scene.pha).clamp(0, 1)
    return scene._replace(src=scene.src - level * shade * behind)


def compress(scene: Batch, level: float, seed: int) -> Batch:
    """Pack shot and plate as JPEG (Pillow, 4:2:0) of quality `level`, 1 to 100, and unpack them."""
    return scene._replace(src=_jpeg(scene.src, int(level)), bgr=_jpeg(scene.bgr, int(level)))


def blur_plate(scene: Batch, level: float, seed: int) -> Batch:
    """Blur the plate by a Gaussian of deviation `level` pixels: it was focused elsewhere."""
    if level == 0:
        return scene
    side = 2 * math.ceil(3 * level) + 1
    x = np.ascontiguousarray(scene.bgr.permute(1, 2, 0).numpy())
    x = cv2.GaussianBlur(x, (side, side), level, borderType=cv2.BORDER_REPLICATE)
    return scene._replace(bgr=torch.from_numpy(x).permute(2, 0, 1).clamp(0, 1))


PERTURBATIONS = {
    "misalignment": Perturbation((0, 0.5, 1, 2, 3, 4, 6, 8), shift_plate, "pixels", 0),
    "exposure": Perturbation(
        (0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4), change_exposure, "gamma of the plate", 1
    ),
    "noise": Perturbation((0, 0.01, 0.02, 0.04, 0.06, 0.08), add_noise, "standard deviation", 0),
    "shadow": Perturbation((0, 0.1, 0.2, 0.3, 0.4, 0.6), add_shadow, "share of the light taken", 0),
    "jpeg": Perturbation((100, 95, 85, 70, 50, 30, 10), compress, "quality", None),
    "blur": Perturbation((0, 0.5, 1, 2, 4, 8), blur_plate, "pixels", 0),
}


def _integer(below: int, seed: int) -> int:
    return int(np.random.default_rng([0xB6D, seed]).integers(below))


def _shift(x: Tensor, down: float, right: float, mode: str = "replicate") -> Tensor:
    """(C, H, W) moved by any number of pixels, bilinear; beyond the border: replicate, constant."""
    reach = math.ceil(max(abs(down), abs(right))) + 1
    padded = F.pad(x[None], [reach] * 4, mode)[0]
    for axis, way in ((-2, down), (-1, right)):
        start, size = math.floor(reach - way), x.shape[axis]
        here, next_one = (padded.narrow(axis, start + step, size) for step in (0, 1))
        part = reach - way - start
        padded = here if part == 0 else here.lerp(next_one, part)
    return padded


def _box(x: Tensor, radius: int) -> Tensor:
    """Mean over (2 radius + 1)^2 pixels of (C, H, W)."""
    padded = F.pad(x[None], [radius] * 4, "replicate")
    return F.avg_pool2d(padded, 2 * radius + 1, stride=1)[0]


def _jpeg(x: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    array = to_uint8(x).permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(array).save(file, format="JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(file) as image:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
