"""Read picture files of any kind to 8 bits: upright, whole, and with a sentence when they fail."""

import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from bgm.colour import to_display
from bgm.errors import BadInput
from bgm.extras import pip_install
from bgm.pictures.deep import deep_aspect, deep_size, finite, is_deep, read_deep, several
from bgm.pictures.finding import COMMON, File, Member
from bgm.pictures.size_limit import take_limit, too_large
from bgm.pictures.writing import to_image, to_uint8

ORIENTATION = 0x0112  # EXIF tag; 5 to 8 swap the axes
SUBFILE_TYPE, REDUCED = 0x00FE, 1  # of a TIFF: a smaller copy of another picture in it
SCALE_SAMPLES = 8  # mattes decoded to see their scale
CLASSES = 20  # a matte that goes no higher holds numbers of things (Pascal VOC has 20), no alpha
GRAY_SPREAD = 8  # between the channels of what counts as gray
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
PAGED = {"TIFF": "pages", "HEIF": "pictures"}
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"mif1", b"msf1", b"heif")

# Editors keep their history in text chunks: megabytes of it, where Pillow allows one.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 1 << 28


@contextmanager
def open_image(path: File) -> Iterator[Image.Image]:
    """A picture opened by Pillow, closed when the block ends; only what reads it belongs into that.

    Raises BadInput, naming the file, when it is missing, too large, broken or an animation.
    """
    try:
        take_limit()
        with _opened(path) as image:
            refuse_animation(path, image)
            yield image
    except (BadInput, MemoryError):
        raise
    except FileNotFoundError:
        raise BadInput(f"picture {path} does not exist") from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder, not a picture") from None
    except UnidentifiedImageError:
        raise BadInput(f"{path} is not a picture that can be read") from None
    except Image.DecompressionBombError as error:
        found, most = (int(number) / 1e6 for number in re.findall(r"\d+", str(error))[:2])
        raise too_large(path, found, most) from None
    except Exception as error:  # decoders raise anything at broken files
        raise BadInput(f"picture {path} is broken or truncated ({error})") from None


def _opened(path: File) -> Image.Image:
    """Opened by Pillow, or by what pillow-heif adds to it."""
    source = path.open() if isinstance(path, Member) else path
    try:
        return Image.open(source)
    except UnidentifiedImageError:
        if not _is_heif(source):
            raise
        try:
            import pillow_heif
        except ImportError:
            raise BadInput(f"{path} is HEIC, which needs {pip_install('heif')}") from None
        pillow_heif.register_heif_opener()
        return Image.open(source)


def _is_heif(source: str | Path | io.BytesIO) -> bool:
    if isinstance(source, io.BytesIO):
        head = source.getvalue()[:12]
        source.seek(0)
    else:
        with open(source, "rb") as file:
            head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS


def refuse_animation(path: File, image: Image.Image) -> None:
    """BadInput for a file of several pictures, of which only the first would be seen.

    Also for one that begins with a smaller copy of what it holds, as raw files do.
    """
    if getattr(image, "tag_v2", {}).get(SUBFILE_TYPE, 0) & REDUCED:
        raise BadInput(f"{path} begins with a preview of its picture: write it as a plain TIFF")
    count = getattr(image, "n_frames", 1) if image.format in (*ANIMATED, *PAGED) else 1
    if image.format in PAGED and count > 1:  # smaller ones are previews
        size, shown = image.size, image.tell()
        image.seek(1 if shown == 0 else 0)
        count = count if image.size == size else 1
        image.seek(shown)
    if count > 1:
        raise several(path, PAGED.get(str(image.format), "frames"), count)


def open_picture(
    path: File, mode: str = "RGB", short: int | None = None
) -> tuple[Image.Image, tuple[int, int]]:
    """Open a picture upright in mode "RGB", "RGBA" or "L"; return it and its full (H, W).

    EXIF rotation is applied; 16-bit gray is scaled, not cut off; "L" of a picture with an alpha
    channel is its luminance. With short a JPEG may come at 1/2, 1/4 or 1/8 of its size, its short
    side still >= short: the decoder does a part of its work only. Raises BadInput as `open_image`.
    """
    if needs_openimageio(path):
        if mode == "RGBA":
            raise BadInput(f"the alpha channel of {path} is not read here: give it as a matte")
        x, encoding = read_deep(str(path), matte=mode == "L")
        x, _ = finite(x)
        # The numbers of a matte are no light.
        shown = _as_float(x) if mode == "L" else to_display(_as_float(x), encoding)
        image = to_image(to_uint8(shown))
        return to_mode(image, mode), (image.height, image.width)
    with open_image(path) as image:
        turn = image.getexif().get(ORIENTATION, 1)
        H, W = _upright_size(image, turn)
        if short is not None and image.format == "JPEG":
            image.draft(mode, (short, short))
        upright = image if turn == 1 else ImageOps.exif_transpose(image)
        upright.load()
        if mode == "L" and upright.mode == "P":
            _refuse_palette(path, upright)
        return to_mode(upright, mode), (H, W)


def to_mode(image: Image.Image, mode: str) -> Image.Image:
    """The picture in a mode of 8 bits a channel; 16-bit gray, which Pillow cuts off, is scaled."""
    if image.mode.startswith("I"):
        levels = np.round(np.asarray(image).astype(np.float64) / 257.0)
        image = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    return image if image.mode == mode else image.convert(mode)


def read_picture(path: File, mode: str = "RGB") -> Tensor:
    """Read a picture as uint8 (C, H, W) in 0..255, as `open_picture` gives it."""
    return to_tensor(open_picture(path, mode)[0])


def check_mattes(files: Sequence[File], mode: str = "L") -> None:
    """Raise BadInput for mattes whose numbers are no alpha of 0 to 255, by a few of them.

    Stored as 0 and 1, as classes or as per cents they teach a network, and let it score well for,
    that there is no subject.
    """
    found = {}
    for index in range(0, len(files), max(1, len(files) // SCALE_SAMPLES)):
        try:
            alpha = open_picture(files[index], mode)[0]
        except BadInput:
            continue  # it is named when it is read
        levels = np.asarray(alpha.getchannel(alpha.getbands()[-1]))
        found[files[index]] = int(levels.min()), int(levels.max())
    if not found:
        return
    path = max(found, key=lambda file: found[file][1])
    low, top = found[path]
    wrong, remedy = "", ""
    if top == 1:
        wrong, remedy = "is stored as 0 and 1", ": multiply it by 255"
    elif low == 0 < top <= CLASSES and not str(path).lower().endswith((".jpg", ".jpeg")):
        wrong = f"goes up to {top} only, as classes do"  # JPEG keeps none
    elif top == 100 and all(high in (0, 100) for _, high in found.values()):
        wrong, remedy = "goes up to 100, as per cents do", ": multiply it by 2.55"
    if wrong:
        raise BadInput(f"alpha of {path} {wrong}, expected 0 to 255{remedy}")


def _refuse_palette(path: File, image: Image.Image) -> None:
    """BadInput for a matte in palette colours, whose luminance is some number between 0 and 255."""
    used = {index for _, index in image.getcolors(256) or ()}
    colours = np.array(image.getpalette("RGB") or [], int).reshape(-1, 3)
    if any(np.ptp(colours[n]) > GRAY_SPREAD for n in range(len(colours)) if n in used):
        raise BadInput(f"matte {path} is stored in palette colours, as classes: save it as gray")


def picture_size(path: File) -> tuple[int, int]:
    """(H, W) of a picture after EXIF rotation, from its header alone."""
    if needs_openimageio(path):
        return deep_size(str(path))
    with open_image(path) as image:
        # Pillow's getexif decodes a PNG to look behind its pixels: only where there is something.
        file: Any = getattr(image, "fp", None)
        late = image.format != "PNG" or "exif" in image.info or _has_late_chunks(file)
        exif = image.getexif() if late else Image.Image.getexif(image)
        return _upright_size(image, exif.get(ORIENTATION, 1))


def pixel_aspect(path: File) -> float:
    """Width of a pixel by its height, of the upright picture; 1 where the file says nothing."""
    if is_deep(path):
        return deep_aspect(str(path))
    with open_image(path) as image:
        info = image.info
        jfif = info["jfif_density"] if info.get("jfif_unit") == 0 else (1, 1)  # 0: of no length
        said = info.get("aspect") or (jfif if jfif[0] != jfif[1] else info.get("dpi"))
        across, down = said or (1, 1)
        turned = image.getexif().get(ORIENTATION, 1) > 4
    across, down = (down, across) if turned else (across, down)
    aspect = float(down) / float(across) if across and down else 1.0
    return aspect if abs(aspect - 1) > 0.01 else 1.0  # rounded numbers of dots an inch


def _upright_size(image: Image.Image, turn: int) -> tuple[int, int]:
    """(H, W) of an opened picture; of a TIFF Pillow says the upright size by itself."""
    W, H = image.size
    return (H, W) if turn < 5 or image.format == "TIFF" else (W, H)


def _has_late_chunks(file: BinaryIO) -> bool:
    """Whether a PNG has chunks behind its pixels that may hold an orientation."""
    here, behind = file.tell(), False
    try:
        file.seek(8)  # the signature
        while len(head := file.read(8)) == 8:
            length, kind = int.from_bytes(head[:4]), head[4:]
            behind |= kind == b"IDAT"
            if kind == b"IEND" or (behind and kind in (b"eXIf", b"iTXt", b"tEXt", b"zTXt")):
                return kind != b"IEND"
            file.seek(length + 4, os.SEEK_CUR)  # 4: the checksum
        return False
    finally:
        file.seek(here)


def needs_openimageio(path: File) -> bool:
    """Whether Pillow does not open a file; of a 16-bit PNG it gives 8 bits."""
    return os.path.splitext(str(path))[1].lower() not in COMMON and is_deep(path)


def _as_float(x: Tensor) -> Tensor:
    if x.dtype.is_floating_point:
        return x
    return x.to(torch.float32) / (255 if x.dtype == torch.uint8 else 65535)


def to_tensor(image: Image.Image) -> Tensor:
    """The uint8 (C, H, W) tensor of a Pillow picture in mode "L", "RGB" or "RGBA"."""
    x = torch.from_numpy(np.array(image))
    return x[None] if x.ndim == 2 else x.permute(2, 0, 1).contiguous()
