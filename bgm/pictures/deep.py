"""Read pictures of more than 8 bits, by OpenImageIO: EXR, HDR, JPEG XL, TIFF, 16-bit PNG."""

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin
from torch import Tensor

from bgm.colour import LINEAR, SRGB, Encoding, named_primaries
from bgm.errors import BadInput, first_line
from bgm.extras import pip_install
from bgm.pictures.channels import colour_places
from bgm.pictures.finding import RAW, File, Member
from bgm.pictures.profiles import (
    encoding_of,
    encoding_of_cicp,
    encoding_of_numbers,
    encoding_of_profile,
)
from bgm.pictures.size_limit import check_pixels

# First bytes of files that Pillow does not open, or of whose numbers it keeps 8 bits.
MAGIC = (
    *(b"\x76\x2f\x31\x01", b"#?RADIANCE", b"#?RGBE", b"\xff\x0a", b"\0\0\0\x0cJXL "),
    *(b"SDPX", b"XPDS", b"PF\n", b"Pf\n", b"\x01\xda\x00\x02", b"\x01\xda\x01\x02"),
)
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PNG = b"\x89PNG"
BITS_PER_SAMPLE = 258
# Its depth less one, and a sign: of a file, and of its bare codestream.
JPEG2000 = re.compile(rb"\0\0\0\x0cjP  .*?ihdr.{10}(.)|\xff\x4f\xff\x51.{38}(.)", re.DOTALL)
PNM = re.compile(rb"P[2356]\s(?:\s*#[^\n]*\n)*\s*\d+\s+\d+\s+(\d+)\s")  # its highest value
LARGEST_HALF = 65504.0
INVERTED = 0  # photometric interpretation of a TIFF: white is 0
LOGARITHMIC = ("Logarithmic", "Printing density")  # DPX: densities of film


def is_deep(path: File) -> bool:
    """Whether a file is a picture of more than 8 bits a channel, or one only OpenImageIO opens.

    Raises BadInput for a camera's raw file, of which only its small preview would be seen.
    """
    if os.path.splitext(str(path))[1].lower() in RAW:
        raise BadInput(f"{path} is a camera's raw file: develop it first, as to a 16-bit TIFF")
    if isinstance(path, Member) or not Path(path).is_file():
        return False
    with open(path, "rb") as file:
        head = file.read(128)
        if head.startswith(TIFF):
            return max(_tiff_bits(file, head)) > 8
    if found := JPEG2000.match(head):
        return (found[1] or found[2])[0] % 128 >= 8
    if found := PNM.match(head):
        return int(found[1]) > 255
    return head.startswith(MAGIC) or (head.startswith(PNG) and head[24:25] == b"\x10")


def _tiff_bits(file: Any, head: bytes) -> tuple[int, ...]:
    """Bits per sample of a TIFF's first picture; (8,) for what cannot be read."""
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(head[: 16 if head[2] == 43 else 8])
        file.seek(directory.next)
        directory.load(file)
        return tuple(directory.get(BITS_PER_SAMPLE, (1,)))
    except (SyntaxError, OSError, ValueError, KeyError, TypeError):
        return (8,)


def openimageio(path: File) -> ModuleType:
    """Import OpenImageIO; raises BadInput that names the extra when it is not installed."""
    try:
        import OpenImageIO
    except ImportError:
        raise BadInput(
            f"{path} has more than 8 bits, which needs OpenImageIO: {pip_install('exr')}"
        ) from None
    return OpenImageIO


def deep_size(path: str | Path) -> tuple[int, int]:
    """(H, W) of a picture or a matte, upright; of an EXR its display window."""
    file, parts, places = _opened(path, matte=True)
    file.close()
    spec = parts[places[0][0]]
    size = (spec.full_height, spec.full_width)
    return size if spec.get_int_attribute("Orientation", 1) < 5 else size[::-1]


def deep_channels(path: str | Path) -> tuple[list[str], list[str]]:
    """Names of the channels that a file's colours are read of, and of all others.

    Of a file of several parts each with the name of its part, "left:R".
    """
    file, parts, places = _opened(path)
    file.close()
    labels = [spec.get_string_attribute("oiio:subimagename") for spec in parts]
    names = {
        (n, i): f"{labels[n] or f'part {n + 1}'}:{name}" if len(parts) > 1 else name
        for n, spec in enumerate(parts)
        for i, name in enumerate(spec.channelnames)
    }
    others = [name for place, name in names.items() if place not in places]
    return [names[place] for place in places], others


def deep_bits(path: str | Path) -> tuple[int, int]:
    """Bits a channel that a file has, and how many of them are read."""
    file, parts, places = _opened(path)
    file.close()
    spec = parts[places[0][0]]
    read = np.dtype(_kind(spec)).itemsize * 8
    return max(spec.format.size() * 8, spec.get_int_attribute("oiio:BitsPerSample", 0)), read


def deep_overscan(path: str | Path) -> tuple[int, tuple[int, int]]:
    """Pixels outside the display window, which are left out, and where that begins (x, y)."""
    file, parts, places = _opened(path)
    file.close()
    spec = parts[places[0][0]]
    x, y, w, h, left, top, width, height = _windows(spec)
    across = max(min(x + w, left + width) - max(x, left), 0)
    down = max(min(y + h, top + height) - max(y, top), 0)
    return w * h - across * down, (left, top)


def deep_aspect(path: str | Path) -> float:
    """Width of a pixel by its height, of the upright picture; 1 where nothing is said."""
    file, parts, places = _opened(path)
    file.close()
    spec = parts[places[0][0]]
    aspect = float(spec.get_float_attribute("PixelAspectRatio", 1.0)) or 1.0
    return aspect if spec.get_int_attribute("Orientation", 1) < 5 else 1 / aspect


def read_deep(path: str | Path, matte: bool = False) -> tuple[Tensor, Encoding]:
    """A picture upright, (3, H, W) uint8, uint16 or float32, and its encoding.

    Of an EXR with layers the default one, else the first that has R, G and B, of whichever part;
    gray is three times gray. matte: gray may be an alpha channel. Where its data window leaves the
    display window empty it is black, and what lies outside is left out. Numbers may be infinite or
    undefined, see `finite`. Raises BadInput for files without a picture in them.
    """
    oiio = openimageio(path)
    file, parts, places = _opened(path, matte)
    spec = parts[places[0][0]]
    kind = _kind(spec)
    number = {"uint8": oiio.UINT8, "uint16": oiio.UINT16}.get(kind, oiio.FLOAT)
    planes: dict[tuple[int, int], NDArray] = {}
    for part in dict.fromkeys(n for n, _ in places):
        index = [i for n, i in places if n == part]
        first, last = min(index), max(index) + 1
        pixels = file.read_image(part, 0, first, last, number)
        if pixels is None:
            raise BadInput(f"picture {path} is broken or truncated ({first_line(file.geterror())})")
        pixels = pixels.reshape(spec.height, spec.width, last - first)
        planes |= {(part, i): pixels[..., i - first] for i in index}
    file.close()
    pixels = np.stack([planes[place] for place in places], axis=-1)
    if spec.get_int_attribute("tiff:PhotometricInterpretation", -1) == INVERTED:
        pixels = (1 if kind == "float32" else np.iinfo(pixels.dtype).max) - pixels
    pixels = upright_array(
        in_display_window(pixels, spec), spec.get_int_attribute("Orientation", 1)
    )
    if len(places) == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    tensor = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    return tensor, _encoding(path, spec, file.format_name())


def _kind(spec: Any) -> str:
    """The type of the tensor that a file's numbers are read to."""
    kinds = {"uint8": "uint8", **dict.fromkeys(("half", "float", "double"), "float32")}
    return kinds.get(str(spec.format), "uint16")


def finite(x: Tensor) -> tuple[Tensor, int]:
    """(3, H, W) without infinite and undefined numbers, and the number of pixels that had some.

    They become the largest half and 0.
    """
    if not x.is_floating_point():
        return x, 0
    count = int((~x.isfinite()).any(0).sum())
    most = LARGEST_HALF
    return (x.nan_to_num(0.0, most, -most) if count else x), count


def _opened(path: str | Path, matte: bool = False) -> tuple[Any, list[Any], list[tuple[int, int]]]:
    """An open file, the headers of its parts, and part and channel of each of its colours."""
    oiio = openimageio(path)
    if not Path(path).is_file():
        raise BadInput(f"picture {path} does not exist")
    hints = oiio.ImageSpec()
    hints.attribute("oiio:UnassociatedAlpha", 1)
    file = oiio.ImageInput.open(str(path), hints)
    if file is None:
        error = str(oiio.geterror()).strip().splitlines()
        raise BadInput(f"picture {path} is broken or truncated ({error[-1] if error else '?'})")
    exr, parts = file.format_name() == "openexr", [file.spec()]
    while exr and file.seek_subimage(len(parts), 0):
        parts.append(file.spec())
    file.geterror()  # that there is no other
    if places := colour_places(parts, exr, matte):
        spec, *more = (parts[n] for n in dict.fromkeys(n for n, _ in places))
        if any(_windows(other) != _windows(spec) for other in more):
            sizes = ", ".join(f"{x.width}x{x.height}" for x in (spec, *more))
            raise BadInput(f"{path} has R, G and B in parts of different windows ({sizes})")
        check_pixels(path, max(spec.width * spec.height, spec.full_width * spec.full_height))
        _refuse_pages(path, file)
        return file, parts, places
    file.close()
    names = [name for spec in parts for name in spec.channelnames]
    raise BadInput(
        f"{path} has no channels R, G, B and no gray Y"
        f"{' that are not deep' if any(spec.deep for spec in parts) else ''}"
        f" (it has {', '.join(names[:12])})"
    )


def _windows(spec: Any) -> tuple[int, ...]:
    """Data window and display window."""
    shown = (spec.full_x, spec.full_y, spec.full_width, spec.full_height)
    return (spec.x, spec.y, spec.width, spec.height, *shown)


def _refuse_pages(path: str | Path, file: Any) -> None:
    """BadInput for a TIFF of several pictures of one size; smaller ones are previews."""
    if file.format_name() != "tiff":
        return
    size = file.spec().width, file.spec().height
    more = file.seek_subimage(1, 0) and (file.spec().width, file.spec().height) == size
    file.seek_subimage(0, 0)
    file.geterror()  # that there is no other
    if more:
        raise several(path, "pages")


def several(path: File, kind: str, count: int | None = None) -> BadInput:
    """What to raise for a file of several pictures, of which only the first would be seen."""
    return BadInput(
        f"{path} holds {count or 'several'} {kind}, expected one picture: write them as pictures"
        " into a folder, or as a video, and give that"
    )


def in_display_window(pixels: NDArray, spec: Any) -> NDArray:
    """The part (H, W, C) of a data window that the display window shows, black around it."""
    size = (spec.full_height, spec.full_width)
    top, left = spec.y - spec.full_y, spec.x - spec.full_x
    if (top, left, *size) == (0, 0, *pixels.shape[:2]):
        return pixels
    shown = np.zeros((*size, pixels.shape[2]), pixels.dtype)
    h, w = pixels.shape[:2]
    rows = slice(max(top, 0), min(top + h, size[0]))
    columns = slice(max(left, 0), min(left + w, size[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        shown[rows, columns] = pixels[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
    return shown


def upright_array(pixels: NDArray, orientation: int) -> NDArray:
    """(H, W, C) turned as EXIF's orientation 1 to 8 asks."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _encoding(path: str | Path, spec: Any, name: str) -> Encoding:
    """What a header says; floats are linear where nothing is said."""
    if spec.get_string_attribute("dpx:Transfer") in LOGARITHMIC:
        raise BadInput(f"{path} holds logarithmic densities of film: convert it first, as to EXR")
    if name == "png":  # of gAMA and cHRM OpenImageIO passes on a part only
        return encoding_of_numbers(path) or _encoding_of_chunks(path)
    profile = spec.getattribute("ICCProfile")
    if profile is not None:
        icc = bytes(bytearray(np.asarray(profile, np.uint8)))
        if icc[16:20] == b"CMYK":
            raise BadInput(f"{path} is CMYK of 16 bits, whose profile is not applied: make it RGB")
        return encoding_of_profile(icc)
    cicp = spec.getattribute("CICP")
    if cicp is not None and (said := encoding_of_cicp(path, int(cicp[0]), int(cicp[1]))):
        return said
    chromaticities = spec.getattribute("chromaticities")
    primaries = named_primaries(list(chromaticities)) if chromaticities is not None else "bt709"
    if _kind(spec) == "float32":
        return LINEAR._replace(primaries=primaries)
    return SRGB._replace(primaries=primaries)


def _encoding_of_chunks(path: str | Path) -> Encoding:
    """What a PNG says of its colours elsewhere than in numbers of H.273."""
    try:
        with Image.open(path) as image:
            return encoding_of(image)
    except (OSError, SyntaxError) as error:
        raise BadInput(f"picture {path} is broken or truncated ({error})") from None
