"""Write pictures whole or not at all: PNG of 8 bits, with what says its colours."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bgm.colour import SRGB, Encoding
from bgm.files import atomic_write
from bgm.pictures.profiles import profile_of


def to_image(x: Tensor) -> Image.Image:
    """The Pillow picture of uint8 (C, H, W), C = 1, 3 or 4."""
    array = x[0] if x.shape[0] == 1 else x.permute(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(array.numpy()))


def to_uint8(x: Tensor) -> Tensor:
    """Round float [0, 1] to uint8 0..255 (half away from the cut, not floored)."""
    return (x.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)


def write_png(
    path: str | Path, x: Tensor, encoding: Encoding = SRGB, pixel_aspect: float = 1.0
) -> None:
    """Write (C, H, W), C = 1, 3 or 4, float [0, 1] or uint8, as PNG: whole or not at all.

    encoding: of colours; its ICC profile is written into the file. pixel_aspect: width of a pixel
    by its height.
    """
    picture = to_image((x if x.dtype == torch.uint8 else to_uint8(x)).cpu())
    profile = profile_of(encoding) if x.shape[0] > 1 else b""
    shape = {"dpi": (72, 72 * pixel_aspect)} if pixel_aspect != 1 else {}
    with atomic_write(path) as partial:
        picture.save(partial, format="PNG", compress_level=3, icc_profile=profile or None, **shape)
