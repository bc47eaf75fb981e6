"""Picture files opened near the size that is wanted, and subjects resized without bleeding."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from bgm.errors import BadInput
from bgm.pictures import read_picture

BILINEAR = Image.Resampling.BILINEAR  # antialiased in Pillow, and never overshoots
FAINT = 32  # below this alpha (of 255) the colour is drawn towards its neighbourhood's
GAP = 2.0  # Pillow averages whole blocks down to twice the size, and filters from there


def open_picture(
    path: str | Path, mode: str, short: int | None = None
) -> tuple[Image.Image, tuple[int, int]]:
    """Open a picture upright in mode "RGB", "RGBA" or "L"; return it and its full (H, W).

    With short a JPEG may come at 1/2, 1/4 or 1/8 of its size, its short side still >= short: the
    decoder then does a part of its work only. Raises BadInput as `bgm.pictures.read_picture` does.
    """
    try:
        with Image.open(path) as image:
            W, H = image.size
            if image.getexif().get(0x0112, 1) >= 5:  # orientations 5-8 swap the axes
                H, W = W, H
            if image.mode.startswith("I"):  # 16 bits: scaled there
                return to_image(read_picture(path, mode)), (H, W)
            if short is not None and image.format == "JPEG":
                image.draft(mode, (short, short))
            return ImageOps.exif_transpose(image).convert(mode), (H, W)
    except BadInput:
        raise
    except Exception:
        read_picture(path, mode)  # it has the sentence for every way a file can be broken
        raise


def to_image(x: Tensor) -> Image.Image:
    """The Pillow picture of uint8 (C, H, W), C = 1, 3 or 4."""
    array = x[0] if x.shape[0] == 1 else x.permute(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(array.numpy()))


def to_tensor(image: Image.Image) -> Tensor:
    """The uint8 (C, H, W) tensor of a Pillow picture in mode "L", "RGB" or "RGBA"."""
    array = np.asarray(image)
    array = array[:, :, None] if array.ndim == 2 else array
    return torch.from_numpy(array.transpose(2, 0, 1).copy())


def cover_square(image: Image.Image, size: int) -> Image.Image:
    """Cut the centred square out of a picture and resize it, antialiased, to (size, size)."""
    W, H = image.size
    side = min(W, H)
    left, top = (W - side) / 2, (H - side) / 2
    box = (left, top, left + side, top + side)
    return image.resize((size, size), BILINEAR, box, GAP)


def match(image: Image.Image, other: Image.Image) -> Image.Image:
    """Average whole blocks of image until it is as small as other (same picture, smaller JPEG)."""
    if image.size[0] <= other.size[0]:
        return image
    return image.reduce(round(image.size[0] / other.size[0]))


def resize_subject(subject: Image.Image, short: int) -> Image.Image:
    """Resize a subject ("RGBA", straight alpha) so that its short side is short.

    Colours are averaged with alpha as their weight, so that what lies outside the subject, black
    or white or a photograph, does not bleed in. Where alpha is 0 the colour afterwards is the
    subject's own, spread outwards: whoever interpolates next without weights does no harm either.
    """
    W, H = subject.size
    scale = short / min(W, H)
    size = (max(short, round(W * scale)), max(short, round(H * scale)))
    weighted = subject.convert("RGBa")
    if size != subject.size:
        weighted = weighted.resize(size, BILINEAR, reducing_gap=GAP)
        subject = weighted.convert("RGBA")
    alpha = subject.getchannel("A")
    trust = alpha.point([min(255, a * 255 // FAINT) for a in range(256)])
    colour = Image.composite(subject.convert("RGB"), _spread(weighted), trust)
    return Image.merge("RGBA", (*colour.split(), alpha))


def _spread(weighted: Image.Image) -> Image.Image:
    """Colours of a premultiplied picture, carried outwards into where alpha is 0 ("RGB")."""
    coarse = np.asarray(weighted.reduce(4)).transpose(2, 0, 1).copy()
    spread = extend(torch.from_numpy(coarse)[None].float() / 255)
    spread = (spread[0].clamp(0, 1) * 255).round().to(torch.uint8)
    return to_image(spread).resize(weighted.size, BILINEAR)


def extend(x: Tensor) -> Tensor:
    """Un-premultiply (1, 4, h, w), empty places filled from coarser levels (pull-push).

    Gortler et al. 1996, "The Lumigraph", section 3.4, on a pyramid of averages. Gives (1, 3, h, w).
    """
    colour, alpha = x[:, :3], x[:, 3:]
    h, w = x.shape[-2:]
    if max(h, w) == 1:
        return colour / alpha.clamp_min(1e-6)
    coarser = extend(F.avg_pool2d(x, 2, ceil_mode=True))
    prior = F.interpolate(coarser, size=[h, w], mode="bilinear", align_corners=False)
    weight = FAINT / 255 / 2  # 8 bits premultiplied say little about a colour below that
    return (colour + weight * prior) / (alpha + weight)
