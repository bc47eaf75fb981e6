"""What goes into shards: bytes of picture files as they are, frames of clips as JPEG and PNG."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from bgm.data.clips import Clips
from bgm.data.shards import Packed
from bgm.errors import BadInput
from bgm.pictures import Member


def packed_pictures(
    stems: Sequence[str], files: Mapping[str, Sequence[str | Member]]
) -> Iterator[Packed]:
    """The files of every stem, byte for byte: shards read as the folder did."""
    for index, stem in enumerate(stems):
        for kind, paths in files.items():
            path = paths[index]
            suffix = Path(path.name if isinstance(path, Member) else path).suffix.lower()
            yield Packed(stem, kind, suffix, _content(path))


def packed_frames(clips: Clips, quality: int) -> Iterator[Packed]:
    """Every frame of clips in order: colours as JPEG of a quality, alpha as PNG (without loss)."""
    for index in range(len(clips)):
        frame = clips.frame(index)
        alpha = frame.getchannel("A")
        pictures = {"fgr": frame.convert("RGB"), "pha": alpha}
        for kind, picture in pictures.items():
            suffix = ".jpg" if kind == "fgr" else ".png"
            yield Packed(clips.name(index), kind, suffix, _encoded(picture, suffix, quality))


def _content(path: str | Member) -> bytes:
    try:
        return path.open().read() if isinstance(path, Member) else Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error})") from None


def _encoded(picture: Image.Image, suffix: str, quality: int) -> bytes:
    file = BytesIO()
    if suffix == ".jpg":
        picture.save(file, "JPEG", quality=quality, subsampling=0)
    else:
        picture.save(file, "PNG", compress_level=3)
    return file.getvalue()
