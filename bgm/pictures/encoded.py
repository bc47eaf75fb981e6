"""Read a picture in its file's own numbers: 8 bits, 16 bits or float, and what they mean."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from bgm.colour import Encoding
from bgm.errors import BadInput
from bgm.pictures.deep import is_deep, read_deep
from bgm.pictures.profiles import encoding_of, encoding_of_numbers, to_srgb
from bgm.pictures.reading import ORIENTATION, open_image, to_mode, to_tensor


def read_encoded(path: str | Path, linear: bool | None = None) -> tuple[Tensor, Encoding]:
    """A picture upright, (3, H, W) uint8, uint16 or float32, and its encoding.

    Numbers stay as they are in the file but for CMYK and for profiles by table, which become sRGB.
    linear: what the numbers mean; None: as the file says. Raises BadInput as `open_image`.
    """
    x, encoding = _read(path)
    if linear is not None and linear != (encoding.transfer == "linear"):
        # A profile that says the opposite is not to be carried.
        encoding = Encoding(encoding.primaries, "linear" if linear else "srgb")
    return x, encoding


def _read(path: str | Path) -> tuple[Tensor, Encoding]:
    if not Path(path).is_file():
        raise BadInput(f"picture {path} does not exist")
    if is_deep(path):
        return read_deep(path)
    with open_image(path) as image:
        # Where a HEIC or AVIF has both, the profile is the finer word.
        profiled = image.info.get("icc_profile") and image.format in ("HEIF", "AVIF")
        said = None if profiled else encoding_of_numbers(path)
        if image.format == "HEIF" and image.info.get("bit_depth", 8) > 8:
            return _read_heif(path), said or encoding_of(image)
        return encoded(image, said)


def encoded(image: Image.Image, said: Encoding | None = None) -> tuple[Tensor, Encoding]:
    """A picture of Pillow's upright, (3, H, W) uint8, and its encoding, by its profile.

    said: what else is known of its numbers, the finer word.
    """
    turn = image.getexif().get(ORIENTATION, 1)
    upright = image if turn == 1 else ImageOps.exif_transpose(image)
    upright.load()
    upright = to_srgb(upright)
    encoding = said or encoding_of(upright)
    if upright.mode in ("CMYK", "LAB"):  # its profile is not of what becomes of it
        encoding = Encoding()
    return to_tensor(to_mode(upright, "RGB")), encoding


def _read_heif(path: str | Path) -> Tensor:
    """A HEIC of 10 or 12 bits, (3, H, W) uint16."""
    import pillow_heif

    array = np.asarray(pillow_heif.open_heif(path, convert_hdr_to_8bit=False))
    array = array[..., :3] if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2)
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
