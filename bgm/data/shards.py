"""Shards: pictures packed to tar files, in webdataset's layout, and read at random."""

import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from itertools import chain, groupby
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from PIL import Image
from torch.utils.data import Dataset

from bgm.data.interfaces import BackgroundSource, SubjectSource
from bgm.data.loaders.resumable import Loader
from bgm.data.loaders.sampler import ShardSampler
from bgm.data.resizing import cover_square, resize_subject
from bgm.errors import BadInput
from bgm.files import atomic_folder
from bgm.pictures import Member, picture_size, read_bytes

MADE_FROM = "packed.json"
INDEX = ".json"  # beside every tar: name -> [offset, size], so that headers are not walked through


class PackedFile(NamedTuple):
    """One picture file to be packed."""

    stem: str  # "clip7/0001"
    kind: str  # "fgr", "pha", "rgba" or "bgr"
    suffix: str  # ".jpg"
    content: bytes


def compact(files: Mapping[str, Path | Member], stems: list[str]) -> list[str | Member]:
    """The files of stems in order: Paths as strings, which are far smaller."""
    chosen = (files[stem] for stem in stems)
    return [file if isinstance(file, Member) else str(file) for file in chosen]


def is_packed(folder: str | Path) -> bool:
    """Tell shards from folders of pictures: there are tar files directly below."""
    return any(Path(folder).glob("*.tar"))


def read_shards(folder: str | Path) -> dict[str, dict[str, Member]]:
    """Map kind ("fgr", "pha", "rgba", "bgr") to stem to Member for all shards of a folder.

    Made by `bgm pack` or any other webdataset of `stem.fgr.jpg`, `stem.pha.png` and so on. Raises
    BadInput for tar files that are broken, that have other members, or that have changed.
    """
    kinds: dict[str, dict[str, Member]] = {}
    for tar in sorted(Path(folder).glob("*.tar")):
        for name, (offset, size) in _index(tar).items():
            _, _, rest = name.rpartition("/")[2].partition(".")
            kind = rest.partition(".")[0]
            if kind not in ("fgr", "pha", "rgba", "bgr"):
                raise BadInput(
                    f"{tar} holds {name}: expected STEM.fgr.*, STEM.pha.*, STEM.rgba.*, STEM.bgr.*"
                )
            stem = unquote(name[: len(name) - len(rest) - 1])
            kinds.setdefault(kind, {})[stem] = Member(str(tar), name, offset, size)
    if not kinds:
        raise BadInput(f"the shards of {folder} hold 0 pictures")
    return {kind: dict(sorted(members.items())) for kind, members in kinds.items()}


def write_shards(
    folder: str | Path, pictures: Iterable[PackedFile], shard_bytes: int, made_from: str = ""
) -> int:
    """Write pictures to folder/000000.tar, ... with an index each; the folder appears whole.

    Pictures of one stem follow each other and stay in one shard; a shard is closed when it has
    shard_bytes. made_from: kept for `shards_made_from`. Returns the number of shards. Raises
    BadInput for a folder that exists.
    """
    folder = Path(folder)
    if folder.exists():
        raise BadInput(f"{folder} exists already: name another folder, or delete it")
    shards = 0
    groups = (list(group) for _, group in groupby(pictures, key=lambda picture: picture.stem))
    with atomic_folder(folder) as partial:
        following = next(groups, None)
        while following is not None or shards == 0:
            path, written = partial / f"{shards:06d}.tar", 0
            with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
                while following is not None and (not written or written < shard_bytes):
                    for picture in following:
                        info = tarfile.TarInfo(_name(picture))
                        info.size = len(picture.content)
                        tar.addfile(info, BytesIO(picture.content))
                        written += info.size
                    following = next(groups, None)
            index = {"bytes": path.stat().st_size, "members": _scan(path)}
            path.with_name(path.name + INDEX).write_text(json.dumps(index) + "\n")
            shards += 1
        (partial / MADE_FROM).write_text(json.dumps({"made_from": made_from}) + "\n")
    return shards


def shards_made_from(folder: str | Path) -> str:
    """What `write_shards` was told of a folder's pictures; "" for any other folder."""
    path = Path(folder) / MADE_FROM
    return json.loads(path.read_text())["made_from"] if path.is_file() else ""


def _name(picture: PackedFile) -> str:
    """webdataset's key ends at the first dot of the name: dots in a stem are written %2E."""
    stem = quote(picture.stem, safe="/ ").replace(".", "%2E")
    return f"{stem}.{picture.kind}{picture.suffix}"


def _index(tar: Path) -> dict[str, tuple[int, int]]:
    path = tar.with_name(tar.name + INDEX)
    if not path.is_file():
        return _scan(tar)
    try:
        index = json.loads(path.read_text())
        size, members = index["bytes"], index["members"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is no index of a shard ({error}): delete it") from None
    if size != tar.stat().st_size:
        raise BadInput(f"{tar} has {tar.stat().st_size} bytes, its index says {size}: pack again")
    return members


def _scan(tar: Path) -> dict[str, tuple[int, int]]:
    try:
        with tarfile.open(tar, "r:") as file:
            return {m.name: (m.offset_data, m.size) for m in file if m.isfile()}
    except (tarfile.TarError, OSError) as error:
        raise BadInput(f"shard {tar} is broken ({error})") from None


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
    files become a pair; backgrounds are their centred square. Smaller pictures stay as they are.
    Raises BadInput for a size below 16.
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
