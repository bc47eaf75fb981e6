"""Write pictures whole or not at all: 8-bit PNG by Pillow, EXR and 16 bits by OpenImageIO."""

import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bgm.colour import SRGB, Encoding, primaries_xy
from bgm.errors import BadInput, first_line
from bgm.files import atomic_write
from bgm.pictures.deep import LARGEST_HALF, openimageio
from bgm.pictures.profiles import profile_of

COMPRESSIONS = {"zip": "zip", "dwaa": "dwaa:45", "dwab": "dwab:45", "piz": "piz", "none": "none"}


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


def write_deep(
    path: str | Path,
    x: Tensor,
    encoding: Encoding,
    kind: str,
    channels: tuple[str, ...],
    *,
    straight: bool = True,
    compression: str = "zip",
    pixel_aspect: float = 1.0,
) -> None:
    """Write (C, H, W) as "png16", "tiff" or "exr": whole or not at all.

    x: numbers of the encoding; of an EXR they are stored as half, or as float32 where one is above
    65504, of a TIFF as float32 where the encoding is linear, else as 16 bits. channels: their
    names, "A" among them for alpha; straight: whether colours are not multiplied by it, which TIFF
    can say. compression: of an EXR. pixel_aspect: width of a pixel by its height.
    """
    oiio = openimageio(path)
    array = np.ascontiguousarray(x.detach().cpu().float().permute(1, 2, 0).numpy())
    number = oiio.UINT16
    if kind == "exr":
        beyond = bool((np.isfinite(array) & (np.abs(array) > LARGEST_HALF)).any())
        number = oiio.FLOAT if beyond else oiio.HALF
        most = float(np.finfo(np.float32).max) if beyond else LARGEST_HALF
        array = array.clip(-most, most)
    elif kind == "tiff" and not encoding.bounded:
        number = oiio.FLOAT
    spec = oiio.ImageSpec(x.shape[2], x.shape[1], x.shape[0], number)
    spec.channelnames = channels
    if "A" in channels:
        spec.alpha_channel = channels.index("A")
        # The numbers are as the file is to have them, in EXR too: nothing is to be multiplied.
        spec.attribute("oiio:UnassociatedAlpha", int(straight))
    if pixel_aspect != 1:
        spec.attribute("PixelAspectRatio", float(pixel_aspect))
    if kind == "exr":
        spec.attribute("compression", COMPRESSIONS[compression])
        spec.attribute(
            "chromaticities", oiio.TypeDesc("float[8]"), primaries_xy(encoding.primaries)
        )
    elif profile := profile_of(encoding):
        value = np.frombuffer(profile, np.uint8)
        spec.attribute("ICCProfile", oiio.TypeDesc(f"uint8[{len(value)}]"), value)
    if number == oiio.UINT16:
        array = np.round(array.clip(0, 1) * 65535).astype(np.uint16)
    with atomic_write(path) as partial:
        name = "png" if kind == "png16" else kind
        file = oiio.ImageOutput.create(name)
        if not (file and file.open(str(partial), spec) and file.write_image(array)):
            reason = first_line((file or oiio).geterror())
            if shutil.disk_usage(partial.parent).free < array.nbytes:
                reason = "no space left on the disk"
            if file:
                file.close()
            raise BadInput(f"cannot write {path} ({reason})")
        if not file.close():
            raise BadInput(f"cannot write {path} ({first_line(file.geterror())})")
