"""Pictures resized, antialiased, and subjects so that nothing bleeds into their colours."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bgm.pictures import to_image

FAINT = 32  # below this alpha (of 255) the colour is drawn towards its neighbourhood's
TRUST = [min(255, a * 255 // FAINT) for a in range(256)]  # in it, by alpha
FEW = 0.003  # of a picture: fewer values outside the subject say nothing about a colour there
STEP = 4  # every fourth pixel of every fourth row is enough to know it


def cover_square(image: Image.Image, size: int) -> Image.Image:
    """Cut the centred square out of a picture and resize it, antialiased, to (size, size)."""
    W, H = image.size
    side = min(W, H)
    left, top = (W - side) // 2, (H - side) // 2
    return scaled(image.crop((left, top, left + side, top + side)), (size, size))


def scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize a picture to size = (W, H): bilinear, antialiased, never overshooting.

    PyTorch's filter for 8 bits is Pillow's to one level, and 3 to 5 times as fast.
    """
    if size == image.size:
        return image
    x = torch.from_numpy(np.array(image))
    x = x[None, None] if x.ndim == 2 else x.permute(2, 0, 1)[None]
    y = F.interpolate(x, size=size[::-1], mode="bilinear", antialias=True)
    pixels = y.permute(0, 2, 3, 1).contiguous().numpy()
    return Image.frombuffer(image.mode, size, pixels, "raw", image.mode, 0, 1)


def shrink_alike(fgr: Image.Image, pha: Image.Image) -> tuple[Image.Image, Image.Image]:
    """fgr ("RGB") that the decoder has made smaller than pha ("L"), and pha at that size.

    The decoder averages blocks of f x f pixels (jidctred.c of libjpeg: "averages of adjacent
    outputs"), and so is alpha. Around a subject in front of a flat colour K (black, white, green) a
    block of which a share c has alpha > 0 holds c F + (1 - c) K then: K is read where c = 0, F is
    what fgr gets. Without such a colour fgr stays as it is.
    """
    factor = max(1, round(pha.size[0] / fgr.size[0]))
    small = pha.reduce(factor)
    colour = np.asarray(fgr)
    around = colour[::STEP, ::STEP][np.asarray(small)[::STEP, ::STEP] == 0]
    if len(around) < FEW * colour.size / STEP**2:
        return fgr, small
    flat = np.median(around, axis=0)
    if np.median(np.abs(around - flat)) > 1:  # more than JPEG noise of one colour
        return fgr, small
    cover = np.asarray(pha.point([0] + [255] * 255).reduce(factor))
    edge = np.nonzero((cover > 0) & (cover < 255))
    share = cover[edge][:, None] / np.float32(255)
    clean = colour.copy()
    clean[edge] = np.rint(((colour[edge] - (1 - share) * flat) / share).clip(0, 255))
    return Image.fromarray(clean), small


def resize_subject(subject: Image.Image, short: int) -> Image.Image:
    """Resize a subject ("RGBA", straight alpha) so that its short side is short.

    Colours are averaged with alpha as their weight, so that what lies outside the subject, black
    or white or a photograph, does not bleed in. Where alpha is 0 the colour afterwards is the
    subject's own, spread outwards, so that a later interpolation without weights is harmless.
    """
    W, H = subject.size
    scale = short / min(W, H)
    size = (max(short, round(W * scale)), max(short, round(H * scale)))
    weighted = subject.convert("RGBa")
    if size != subject.size:
        weighted = scaled(weighted, size)
        subject = weighted.convert("RGBA")
    alpha = subject.getchannel("A")
    colour = Image.composite(subject.convert("RGB"), _spread(weighted), alpha.point(TRUST))
    colour.putalpha(alpha)  # four times as fast as split and merge
    return colour


def _spread(weighted: Image.Image) -> Image.Image:
    """Colours of a premultiplied picture, carried outwards into where alpha is 0 ("RGB")."""
    coarse = np.asarray(weighted.reduce(4)).transpose(2, 0, 1).copy()
    spread = extend(torch.from_numpy(coarse)[None].float() / 255)
    spread = (spread[0].clamp(0, 1) * 255).round().to(torch.uint8)
    return scaled(to_image(spread), weighted.size)


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
