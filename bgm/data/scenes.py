"""Finished scenes on disk: composed once, scored again and again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from bgm.data.composites import collate
from bgm.data.interfaces import get_samples
from bgm.errors import BadInput
from bgm.files import atomic_folder
from bgm.pictures import (
    check_mattes,
    find_pictures,
    one_size,
    pair_by_stem,
    picture_size,
    read_picture,
    write_png,
)
from bgm.types import Batch, Sample

CHUNK = 8  # samples asked for at a time: enough for a dataset that makes them in batches


class Scenes(Dataset[Batch]):
    """A folder src/ bgr/ pha/ [fgr/] paired by stem; item -> unbatched Batch, float in [0, 1].

    bgr/ may hold one plate for all. fgr/ may lack scenes: has_fgr is False there and fgr is src.
    Scenes may differ in size from each other. length: only the first so many. Raises BadInput at
    construction: folders missing or empty, stems that do not pair, pictures of different sizes.
    """

    def __init__(self, root: str | Path, length: int | None = None) -> None:
        self.root = Path(root)
        src, pha, bgr = (find_pictures(self.root / name) for name in ("src", "pha", "bgr"))
        names = pair_by_stem(src=src, pha=pha)
        if len(bgr) == 1:
            bgr = dict.fromkeys(names, next(iter(bgr.values())))
        pair_by_stem(src=src, bgr=bgr)
        fgr = find_pictures(self.root / "fgr") if (self.root / "fgr").is_dir() else {}
        pair_by_stem(src={n: src[n] for n in names if n in fgr}, fgr=fgr)
        if length is not None and not 1 <= length <= len(names):
            raise BadInput(f"{self.root} holds {len(names)} scenes, {length} are asked for")
        self.names = names[:length]
        self.files = [(src[n], bgr[n], pha[n], fgr.get(n)) for n in self.names]
        sizes = [{path: picture_size(path) for path in files if path} for files in self.files]
        self.sizes = [one_size(scene) for scene in sizes]  # (H, W) of each
        check_mattes([files[2] for files in self.files])

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Batch:
        src_file, bgr_file, pha_file, fgr_file = self.files[index]
        src, bgr, pha = _read(src_file), _read(bgr_file), _read(pha_file, "L")
        fgr = src if fgr_file is None else _read(fgr_file)
        return Batch(src, bgr, pha, fgr, torch.tensor(fgr_file is not None))

    def describe(self) -> dict:
        """What tells these scenes from others: names and file sizes in bytes."""
        sizes = [[path.stat().st_size for path in files if path] for files in self.files]
        return {"names": self.names, "bytes": sizes}


def stack(scenes: list[Batch]) -> Batch:
    """Stack unbatched scenes of one size to a Batch with a leading B."""
    return Batch(*(torch.stack(field) for field in zip(*scenes, strict=True)))


def write_scenes(root: str | Path, scenes: Iterable[Batch], names: Sequence[str]) -> None:
    """Write unbatched scenes as PNG under root, which appears whole or not at all.

    fgr is written where has_fgr. If another process wrote root in the meantime, its folder stays.
    Raises BadInput when the place cannot be written to.
    """
    try:
        with atomic_folder(root) as partial:
            for name, scene in zip(names, scenes, strict=True):
                for field in ("src", "bgr", "pha", "fgr"):
                    if field != "fgr" or scene.has_fgr:
                        write_png(partial / field / f"{name}.png", getattr(scene, field))
    except BadInput:
        if not Path(root).is_dir():  # else another process was first
            raise


def materialise(
    root: str | Path, dataset, augment: Callable[[Sample], Batch], length: int
) -> Scenes:
    """Compose draws 0 .. length - 1 of a dataset of Samples into root, unless it is there already.

    Each draw goes through augment alone, so that it may have a size of its own. Returns the Scenes.
    """
    root = Path(root)
    if not root.exists():
        names = [f"{draw:05d}" for draw in range(length)]
        write_scenes(root, compose(dataset, augment, length), names)
    scenes = Scenes(root)
    if len(scenes) != length:
        raise BadInput(f"{root} holds {len(scenes)} scenes, expected {length}: delete it")
    return scenes


@torch.no_grad()
def compose(dataset, augment: Callable[[Sample], Batch], length: int) -> Iterator[Batch]:
    """Yield draws 0 .. length - 1 of a dataset of Samples, augmented, as unbatched Batches."""
    for first in range(0, length, CHUNK):
        draws = list(range(first, min(first + CHUNK, length)))
        for sample in get_samples(dataset, draws):
            yield Batch(*(field[0] for field in augment(collate([sample]))))


def _read(path: Path, mode: str = "RGB") -> Tensor:
    return read_picture(path, mode).float() / 255
