"""What goes into shards: picture files as they are, or pictures encoded anew, reduced or not."""

from collections.abc import Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path

from PIL import Image
from torch.utils.data import Dataset

from bgm.data.interfaces import BackgroundSource, SubjectSource
from bgm.data.loaders.resumable import Loader, ShardSampler
from bgm.data.resizing import cover_square, resize_subject
from bgm.data.shards.tar import PackedFile
from bgm.errors import BadInput
from bgm.pictures import Member, picture_size, read_bytes

SMALLEST = 16  # pixels: as small as anything here is trained on


def pack(
    source: SubjectSource | BackgroundSource,
    size: int | None = None,
    quality: int = 95,
    workers: int = 0,
) -> Iterator[PackedFile]:
    """The pictures of a source in order, by so many processes; see `PackedItems`."""
    items = PackedItems(source, size, quality)
    order = ShardSampler(len(items))  # goes on from where a worker was killed
    workers = workers if source.files else 0  # frames of a clip are decoded one after the other
    return chain.from_iterable(
        Loader(items, batch_size=None, sampler=order, num_workers=workers, collate_fn=list)
    )


class PackedItems(Dataset[list[PackedFile]]):
    """The files of every item, to be packed.

    size=None: picture files byte for byte, so that shards read as the folder did, and what has no
    files (frames of clips) as colours in JPEG of a quality and alpha in PNG, without loss.
    Else as training at `size` takes them: `read(index, size)` gives the same from these. Subjects
    have a short side of size then, colours averaged with alpha as weight and spread outwards; RGBA
    files become a pair; backgrounds are their centred square. Smaller pictures stay as they are:
    nothing is enlarged, and nothing that was reduced is encoded again. Raises BadInput for a size
    below 16.
    """

    def __init__(
        self, source: SubjectSource | BackgroundSource, size: int | None, quality: int
    ) -> None:
        if size is not None and (not isinstance(size, int) or size < SMALLEST):
            raise BadInput(f"size={size}: expected {SMALLEST} px or more, or null: as they are")
        self.source, self.size, self.quality = source, size, quality

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> list[PackedFile]:
        stem, size = self.source.name(index), self.size
        files = {kind: paths[index] for kind, paths in self.source.files.items()}
        small = size is None or all(min(picture_size(path)) <= size for path in files.values())
        if files and small and (size is None or "rgba" not in files):
            names = {k: f.name if isinstance(f, Member) else f for k, f in files.items()}
            suffixes = {kind: Path(name).suffix.lower() for kind, name in names.items()}
            return [PackedFile(stem, k, suffixes[k], read_bytes(f)) for k, f in files.items()]
        picture = self.source.open(index, size)
        if isinstance(self.source, BackgroundSource):
            picture = picture if size is None else cover_square(picture, size)
            return [PackedFile(stem, "bgr", ".jpg", _encoded(picture, "JPEG", self.quality))]
        if size is not None and min(picture.size) > size:
            picture = resize_subject(picture, size)
        fgr, pha = picture.convert("RGB"), picture.getchannel("A")
        return [
            PackedFile(stem, "fgr", ".jpg", _encoded(fgr, "JPEG", self.quality)),
            PackedFile(stem, "pha", ".png", _encoded(pha, "PNG", self.quality)),
        ]


def _encoded(picture: Image.Image, format: str, quality: int) -> bytes:
    file = BytesIO()
    options = {"quality": quality, "subsampling": 0} if format == "JPEG" else {"compress_level": 3}
    picture.save(file, format, **options)
    return file.getvalue()
