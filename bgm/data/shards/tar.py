"""Shards: folders of pictures packed to tar files, in webdataset's layout, read at random."""

import json
import tarfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from bgm.errors import BadInput
from bgm.files import atomic_folder
from bgm.pictures import Member

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


def write_shards(folder: str | Path, pictures: Iterable[PackedFile], shard_bytes: int) -> int:
    """Write pictures to folder/000000.tar, ... with an index each; the folder appears whole.

    Pictures of one stem follow each other and stay in one shard; a shard is closed when it has
    shard_bytes. Returns the number of shards. Raises BadInput when the folder exists or cannot be
    written to.
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
    return shards


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
