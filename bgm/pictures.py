"""Picture files: find them by relative stem, read them to uint8 tensors, write them as PNG."""

import io
import os
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from bgm.errors import BadInput
from bgm.files import atomic_write

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp")
HIDDEN = (".", "__MACOSX", "Thumbs.db", "desktop.ini")  # what macOS and Windows leave in folders
ORIENTATION = 0x0112  # EXIF tag; 5 to 8 swap the axes
ZIPPED = -1  # offset of a member that its zip's directory has to find
SCALE_SAMPLES = 8  # mattes decoded to see their scale
LIMIT_KEY = "BGM_MAX_MEGAPIXELS"
F = TypeVar("F")

# Editors keep their history in text chunks: megabytes of it, where Pillow allows one.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 1 << 28
if LIMIT_KEY in os.environ:  # an environment variable, as workers inherit it
    Image.MAX_IMAGE_PIXELS = int(float(os.environ[LIMIT_KEY]) * 1e6 / 2)  # Pillow refuses 2 of it


class Member(NamedTuple):
    """A picture file inside a tar (uncompressed) or zip archive."""

    archive: str
    name: str
    offset: int  # bytes; ZIPPED in a zip
    size: int  # bytes

    def open(self) -> io.BytesIO:
        """Its bytes, read in one piece; BadInput for a zip that cannot be unpacked."""
        if self.offset == ZIPPED:
            try:
                changed = os.stat(self.archive).st_mtime_ns
                archive = _open_zip(self.archive, os.getpid(), changed)
                return io.BytesIO(archive.read(self.name))
            except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError) as error:
                raise BadInput(f"{self} cannot be unpacked ({error})") from None
        with open(self.archive, "rb") as file:
            file.seek(self.offset)
            return io.BytesIO(file.read(self.size))

    def __str__(self) -> str:
        return f"{self.archive}/{self.name}"


File = str | Path | Member


def read_bytes(path: File) -> bytes:
    """A picture file as it is; BadInput names one that cannot be read."""
    try:
        return path.open().read() if isinstance(path, Member) else Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error})") from None


@lru_cache(maxsize=8)
def _open_zip(path: str, process: int, changed: int) -> zipfile.ZipFile:
    """An open zip of this process: a file position that forked workers share would be moved."""
    return zipfile.ZipFile(path)


def walk_files(folder: str | Path) -> Iterator[tuple[str, Path]]:
    """Yield name below folder ("clip7/0001.png") and path of every file at any depth, sorted.

    Hidden files and folders are left out. Links to folders are followed, but for those that lead
    back to a folder that they lie in. Raises BadInput for a folder that cannot be read.
    """
    yield from _walk(str(folder), "", ())


def _walk(folder: str, prefix: str, parents: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    real = os.path.realpath(folder)
    if real in parents:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise BadInput(f"folder {folder} cannot be read ({error.strerror})") from None
    for entry in entries:
        if entry.name.startswith(HIDDEN):
            continue
        if entry.is_dir():
            yield from _walk(entry.path, f"{prefix}{entry.name}/", (*parents, real))
        elif entry.is_file():
            yield prefix + entry.name, Path(entry.path)


def by_stem(
    files: Iterable[tuple[str, F]], extensions: Sequence[str] = EXTENSIONS
) -> tuple[dict[str, F], int]:
    """Map stems, sorted, to those files (name, file) that have an extension; count the others.

    Accents count alike whether they are composed or not. Raises BadInput for two files of one stem.
    """
    found: dict[str, F] = {}
    others = 0
    for name, file in files:
        stem, extension = os.path.splitext(unicodedata.normalize("NFC", name))
        if extension.lower() not in extensions:
            others += 1
            continue
        if stem in found:
            raise BadInput(f"{found[stem]} and {file} have the same stem: keep one of them")
        found[stem] = file
    return dict(sorted(found.items())), others


def find_pictures(folder: str | Path) -> dict[str, Path]:
    """Map relative stem ("clip7/0001") to file for every picture under folder, sorted by stem.

    Raises BadInput for a missing folder, a folder without pictures, two files of one stem.
    """
    if not Path(folder).is_dir():
        raise BadInput(f"folder {folder} does not exist ({_looked_for()})")
    return some_pictures(f"folder {folder}", walk_files(folder))


def some_pictures(where: str, files: Iterable[tuple[str, F]]) -> dict[str, F]:
    """The pictures among files (name, file) by stem; BadInput, naming where, if there are none."""
    found, others = by_stem(files)
    if not found:
        raise BadInput(f"{where} holds 0 pictures and {others} other files ({_looked_for()})")
    return found


def _looked_for() -> str:
    return f"looked for {' '.join(EXTENSIONS)} in any case, at any depth"


def pair_by_stem(**folders: Mapping[str, Any]) -> list[str]:
    """Return the stems that all folders share; raise BadInput naming the first ten that differ."""
    names = list(folders)
    first = folders[names[0]]
    for name in names[1:]:
        unpaired = [f"{s} (only in {names[0]})" for s in first if s not in folders[name]]
        unpaired += [f"{s} (only in {name})" for s in folders[name] if s not in first]
        if unpaired:
            more = f" and {len(unpaired) - 10} more" if len(unpaired) > 10 else ""
            listed = ", ".join(unpaired[:10])
            raise BadInput(
                f"{len(unpaired)} stems of {names[0]}/ and {name}/ do not pair: {listed}{more}"
            )
    return list(first)


@contextmanager
def open_image(path: File) -> Iterator[Image.Image]:
    """A picture opened by Pillow, closed when the block ends; only what reads it belongs into that.

    Raises BadInput, naming the file, when it is missing, too large or broken.
    """
    try:
        with Image.open(path.open() if isinstance(path, Member) else path) as image:
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
        raise BadInput(
            f"{path} is larger than allowed ({error}): set the environment variable {LIMIT_KEY}"
        ) from None
    except Exception as error:  # decoders raise anything at broken files
        raise BadInput(f"picture {path} is broken or truncated ({error})") from None


def open_picture(
    path: File, mode: str = "RGB", short: int | None = None
) -> tuple[Image.Image, tuple[int, int]]:
    """Open a picture upright in mode "RGB", "RGBA" or "L"; return it and its full (H, W).

    EXIF rotation is applied; 16-bit gray is scaled, not cut off; "L" of a picture with an alpha
    channel is its luminance. With short a JPEG may come at 1/2, 1/4 or 1/8 of its size, its short
    side still >= short: the decoder does a part of its work only. Raises BadInput as `open_image`.
    """
    with open_image(path) as image:
        turn = image.getexif().get(ORIENTATION, 1)
        W, H = image.size if turn < 5 else image.size[::-1]
        if short is not None and image.format == "JPEG":
            image.draft(mode, (short, short))
        upright = image if turn == 1 else ImageOps.exif_transpose(image)
        upright.load()
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


def one_size(sizes: Mapping[Any, tuple[int, int]]) -> tuple[int, int]:
    """The (H, W) that pictures, by their files, have in common; BadInput names two that differ."""
    (first, (H, W)), *others = sizes.items()
    for other, (h, w) in others:
        if (h, w) != (H, W):
            raise BadInput(
                f"{first} is {W}x{H} pixels and {other} is {w}x{h}: they must have one size"
            )
    return H, W


def refuse_zero_one(files: Sequence[File], mode: str = "L") -> None:
    """Raise BadInput for mattes stored as 0 and 1 of 255, by a few of them.

    A network would learn from them, and score well, that there is no subject.
    """
    masks = []
    for index in range(0, len(files), max(1, len(files) // SCALE_SAMPLES)):
        try:
            alpha = open_picture(files[index], mode)[0]
        except BadInput:
            continue  # it is named when it is read
        top = int(np.asarray(alpha.getchannel(alpha.getbands()[-1])).max())
        if top > 1:
            return
        masks += [files[index]] * top
    if masks:
        raise BadInput(
            f"alpha of {masks[0]} is stored as 0 and 1, expected 0 to 255: multiply it by 255"
        )


def picture_size(path: File) -> tuple[int, int]:
    """(H, W) of a picture after EXIF rotation, from its header alone."""
    with open_image(path) as image:
        # Pillow's getexif decodes a PNG to look behind its pixels: only where there is something.
        file: Any = getattr(image, "fp", None)
        late = image.format != "PNG" or "exif" in image.info or _has_late_chunks(file)
        exif = image.getexif() if late else Image.Image.getexif(image)
        return image.size[::-1] if exif.get(ORIENTATION, 1) < 5 else image.size


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


def to_tensor(image: Image.Image) -> Tensor:
    """The uint8 (C, H, W) tensor of a Pillow picture in mode "L", "RGB" or "RGBA"."""
    x = torch.from_numpy(np.array(image))
    return x[None] if x.ndim == 2 else x.permute(2, 0, 1).contiguous()


def to_image(x: Tensor) -> Image.Image:
    """The Pillow picture of uint8 (C, H, W), C = 1, 3 or 4."""
    array = x[0] if x.shape[0] == 1 else x.permute(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(array.numpy()))


def to_uint8(x: Tensor) -> Tensor:
    """Round float [0, 1] to uint8 0..255 (half away from the cut, not floored)."""
    return (x.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)


def write_png(path: str | Path, x: Tensor) -> None:
    """Write (C, H, W), C = 1, 3 or 4, float [0, 1] or uint8, as PNG: whole or not at all."""
    picture = to_image((x if x.dtype == torch.uint8 else to_uint8(x)).cpu())
    with atomic_write(path) as partial:
        picture.save(partial, format="PNG", compress_level=3)
