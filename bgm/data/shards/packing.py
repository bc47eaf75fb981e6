"""What goes into shards: picture files as they are, or reduced; frames of clips as JPEG and PNG."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path

from PIL import Image
from torch.utils.data import Dataset

from bgm.data.clips import Clips
from bgm.data.folders import Backgrounds, Subjects
from bgm.data.loaders.resumable import Loader
from bgm.data.loaders.sampler import ShardSampler
from bgm.data.resizing import cover_square, open_picture, resize_subject
from bgm.data.shards.tar import Packed
from bgm.errors import BadInput
from bgm.pictures import Member, picture_size

SMALLEST = 16  # pixels: as small as anything here is trained on


def packed_pictures(
    stems: Sequence[str], files: Mapping[str, Sequence[str | Member]]
) -> Iterator[Packed]:
    """The files of every stem, byte for byte: shards read as the folder did."""
    for index, stem in enumerate(stems):
        yield from _as_they_are(stem, {kind: paths[index] for kind, paths in files.items()})


def packed_frames(clips: Clips, quality: int, size: int | None = None) -> Iterator[Packed]:
    """Every frame of clips in order: colours as JPEG of a quality, alpha as PNG (without loss).

    With size larger frames are reduced as `Reduced` does.
    """
    for index in range(len(clips)):
        yield from _in_two(clips.name(index), _at_most(clips.frame(index), size), quality)


def packed_reduced(
    data: Subjects | Backgrounds, size: int, quality: int, workers: int
) -> Iterator[Packed]:
    """The pictures of every stem in order, reduced by so many processes."""
    reduced = Reduced(data, size, quality)
    order = ShardSampler(len(reduced))  # goes on from where a worker was killed
    items = Loader(reduced, batch_size=None, sampler=order, num_workers=workers, collate_fn=list)
    return chain.from_iterable(items)


class Reduced(Dataset[list[Packed]]):
    """Pictures as training at `size` takes them: `read(index, size)` gives the same from these.

    Subjects have a short side of size then, colours (JPEG of a quality) averaged with alpha as
    weight and spread outwards, alpha (PNG) without loss; RGBA files become such a pair.
    Backgrounds are their centred square. Smaller pictures stay as they are: nothing is enlarged,
    and nothing that was reduced is encoded again. Raises BadInput for a size below 16.
    """

    def __init__(self, data: Subjects | Backgrounds, size: int, quality: int) -> None:
        if not isinstance(size, int) or size < SMALLEST:
            raise BadInput(f"pictures are reduced to size={size}, expected {SMALLEST} px or more")
        self.data, self.size, self.quality = data, size, quality

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> list[Packed]:
        stem, data = self.data.stems[index], self.data
        files = {"bgr": data.files} if isinstance(data, Backgrounds) else data.files
        paths = {kind: of_kind[index] for kind, of_kind in files.items()}
        small = all(min(picture_size(path)) <= self.size for path in paths.values())
        if small and "rgba" not in paths:
            return list(_as_they_are(stem, paths))
        if isinstance(data, Backgrounds):
            place = open_picture(paths["bgr"], "RGB", self.size)[0]
            content = _encoded(cover_square(place, self.size), ".jpg", self.quality)
            return [Packed(stem, "bgr", ".jpg", content)]
        subject = _at_most(data.open(index, self.size), self.size)
        return list(_in_two(stem, subject, self.quality))


def _at_most(subject: Image.Image, size: int | None) -> Image.Image:
    """A subject ("RGBA"), reduced to a short side of size if it is larger."""
    return subject if size is None or min(subject.size) <= size else resize_subject(subject, size)


def _as_they_are(stem: str, paths: Mapping[str, str | Member]) -> Iterator[Packed]:
    for kind, path in paths.items():
        suffix = Path(path.name if isinstance(path, Member) else path).suffix.lower()
        yield Packed(stem, kind, suffix, _content(path))


def _in_two(stem: str, subject: Image.Image, quality: int) -> Iterator[Packed]:
    """A subject ("RGBA") as two files."""
    pictures = {"fgr": (subject.convert("RGB"), ".jpg"), "pha": (subject.getchannel("A"), ".png")}
    for kind, (picture, suffix) in pictures.items():
        yield Packed(stem, kind, suffix, _encoded(picture, suffix, quality))


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
