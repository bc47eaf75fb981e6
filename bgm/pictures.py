"""Picture files: find them by relative stem, read them to uint8 tensors, write PNG atomically."""

import io
import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from bgm.errors import BadInput

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp")


class Member(NamedTuple):
    """A picture file inside an uncompressed tar file, where it starts and how long it is."""

    tar: str
    name: str
    offset: int
    size: int

    def open(self) -> io.BytesIO:
        """Its bytes, read in one piece."""
        with open(self.tar, "rb") as file:
            file.seek(self.offset)
            return io.BytesIO(file.read(self.size))

    def __str__(self) -> str:
        return f"{self.tar}/{self.name}"


def source(path: str | Path | Member) -> str | Path | io.BytesIO:
    """What Pillow opens."""
    return path.open() if isinstance(path, Member) else path


def find_pictures(folder: str | Path) -> dict[str, Path]:
    """Map relative stem ("clip7/0001") to file for every picture under folder, sorted by stem.

    Raises BadInput for a missing folder, a folder without pictures, two files of one stem.
    """
    folder = Path(folder)
    looked_for = f"looked for {' '.join(EXTENSIONS)} in any case, at any depth"
    if not folder.is_dir():
        raise BadInput(f"folder {folder} does not exist ({looked_for})")
    found: dict[str, Path] = {}
    others = 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.suffix.lower() not in EXTENSIONS:
            others += 1
            continue
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in found:
            raise BadInput(f"{found[stem]} and {path} have the same stem: keep one of them")
        found[stem] = path
    if not found:
        raise BadInput(f"folder {folder} holds 0 pictures and {others} other files ({looked_for})")
    return dict(sorted(found.items()))


def pair_by_stem(**folders: dict[str, Path]) -> list[str]:
    """Return the stems that all folders share; raise BadInput naming the first ten that differ."""
    names = list(folders)
    first = folders[names[0]]
    for name in names[1:]:
        lonely = [f"{s} (only in {names[0]})" for s in first if s not in folders[name]]
        lonely += [f"{s} (only in {name})" for s in folders[name] if s not in first]
        if lonely:
            more = f" and {len(lonely) - 10} more" if len(lonely) > 10 else ""
            listed = ", ".join(lonely[:10])
            raise BadInput(
                f"{len(lonely)} stems of {names[0]}/ and {name}/ do not pair: {listed}{more}"
            )
    return list(first)


def read_picture(path: str | Path | Member, mode: str = "RGB") -> Tensor:
    """Read a picture as uint8 (C, H, W) in 0..255; mode "RGB", "RGBA" or "L" (alpha, one channel).

    EXIF rotation is applied; 16-bit files are scaled, not cut off. "L" of a picture with an alpha
    channel is its luminance. Raises BadInput, naming the file, when it is missing or broken.
    """
    try:
        with Image.open(source(path)) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # 16-bit gray: PIL would clip at 255
                array = np.asarray(upright).astype(np.float64) / 257.0
                upright = Image.fromarray(np.clip(np.round(array), 0, 255).astype(np.uint8))
            array = np.asarray(upright.convert(mode))
    except FileNotFoundError:
        raise BadInput(f"picture {path} does not exist") from None
    except UnidentifiedImageError:
        raise BadInput(f"{path} is not a picture that can be read") from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder, not a picture") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"picture {path} is broken or truncated ({error})") from None
    if array.ndim == 2:
        array = array[:, :, None]
    return torch.from_numpy(array.transpose(2, 0, 1).copy())


def picture_size(path: str | Path | Member) -> tuple[int, int]:
    """(H, W) of a picture after EXIF rotation, from its header alone."""
    try:
        with Image.open(source(path)) as image:
            W, H = image.size
            if _orientation(image) >= 5:  # orientations 5-8 swap the axes
                H, W = W, H
            return H, W
    except FileNotFoundError:
        raise BadInput(f"picture {path} does not exist") from None
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise BadInput(f"{path} is not a picture that can be read") from None


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8. Pillow's getexif decodes a PNG: only where it must."""
    if image.format == "PNG" and "exif" not in image.info and not _png_tells_late(image.fp):
        return Image.Image.getexif(image).get(0x0112, 1)
    return image.getexif().get(0x0112, 1)


def _png_tells_late(file: BinaryIO) -> bool:
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


def to_uint8(x: Tensor) -> Tensor:
    """Round float [0, 1] to uint8 0..255 (half away from the cut, not floored)."""
    return (x.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)


def write_png(path: str | Path, x: Tensor) -> None:
    """Write (C, H, W), C = 1, 3 or 4, float [0, 1] or uint8, as PNG: whole or not at all."""
    path = Path(path)
    x = (x if x.dtype == torch.uint8 else to_uint8(x)).cpu()
    array = x[0].numpy() if x.shape[0] == 1 else x.permute(1, 2, 0).numpy()
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(array)).save(partial, format="PNG", compress_level=3)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise BadInput(f"cannot write {path} ({error.strerror or error})") from None
