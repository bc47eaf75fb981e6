"""Picture files of every kind, written by the libraries that people's programs use."""

import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageCms


def exr(path, channels, window=None, display=None, attributes=None, half=True):
    """An EXR by OpenEXR's own package: channels (H, W) by name; windows (x0, y0, x1, y1)."""
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    header |= attributes or {}
    for name, box in (("dataWindow", window), ("displayWindow", display)):
        if box:
            header[name] = (np.array(box[:2], np.int32), np.array(box[2:], np.int32))
    kind = np.float16 if half else np.float32
    pixels = {name: np.ascontiguousarray(x.astype(kind)) for name, x in channels.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    OpenEXR.File(header, pixels).write(str(path))
    return path


def exr_parts(path, parts):
    """An EXR of several parts: the channels (H, W) of each, by the part's name and their own.

    They share the display window, as they must: that of the first.
    """
    import OpenEXR

    H, W = next(iter(next(iter(parts.values())).values())).shape
    window = (np.zeros(2, np.int32), np.array([W - 1, H - 1], np.int32))
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    header["displayWindow"] = window
    made = [
        OpenEXR.Part(dict(header), {c: x.astype(np.float16) for c, x in channels.items()}, name)
        for name, channels in parts.items()
    ]
    OpenEXR.File(made).write(str(path))
    return path


def deep(path, x, profile=b"", orientation=1, aspect=1.0):
    """A 16-bit or float PNG, TIFF or EXR (H, W, C) by OpenImageIO."""
    import OpenImageIO as oiio

    kind = {"uint16": oiio.UINT16, "float32": oiio.FLOAT, "float16": oiio.HALF}[x.dtype.name]
    spec = oiio.ImageSpec(x.shape[1], x.shape[0], x.shape[2], kind)
    spec.attribute("oiio:UnassociatedAlpha", 1)
    if profile:
        value = np.frombuffer(profile, np.uint8)
        spec.attribute("ICCProfile", oiio.TypeDesc(f"uint8[{len(value)}]"), value)
    if orientation != 1:
        spec.attribute("Orientation", orientation)
    if aspect != 1:
        spec.attribute("PixelAspectRatio", aspect)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = oiio.ImageOutput.create(str(path))
    assert file.open(str(path), spec)
    assert file.write_image(np.ascontiguousarray(x))
    assert file.close()
    return path


def shades(H=12, W=18):
    """Colours (H, W, 3) uint8 that neither codec nor profile can hide."""
    y, x = np.mgrid[:H, :W]
    red, green = x * 255 // (W - 1), y * 255 // (H - 1)
    return np.stack([red, green, 255 - red], -1).astype(np.uint8)


def srgb_profile():
    """LittleCMS's own profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def png_with(path, chunk, data, bits=8):
    """A PNG of `shades`, of 8 or 16 bits, with one more chunk before its pixels and no other."""
    x = shades() if bits == 8 else shades().astype(np.uint16) * 257
    assert cv2.imwrite(str(path), x[..., ::-1])
    whole, body = path.read_bytes(), chunk + data
    extra = struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(whole[:33] + extra + whole[33:])
    return path
