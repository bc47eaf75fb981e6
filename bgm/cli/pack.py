"""bgm pack data=... data_root=... out=... [size=512]: tar shards, as they are or reduced."""

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig

from bgm.cli.doctor import folders
from bgm.console import say, tracked
from bgm.data import Backgrounds, open_subjects
from bgm.data.shards.packing import SMALLEST, packed_frames, packed_pictures, packed_reduced
from bgm.data.shards.tar import Packed, write_shards
from bgm.errors import BadInput


def main(cfg: DictConfig) -> None:
    """Pack every folder of a data config below out, which has data_root's layout then."""
    root, out = Path(cfg.data_root).resolve(), Path(cfg.out)
    todo = dict.fromkeys((role, place(named, root)) for _, role, named in folders(cfg))
    if not todo:
        raise BadInput(f"data={cfg.data._target_} names no folders: there is nothing to pack")
    small = cfg.size
    if small is not None and (not isinstance(small, int) or small < SMALLEST):
        raise BadInput(
            f"size={small}: expected {SMALLEST} px or more, or null for files as they are"
        )
    for _, where in todo:  # all of them before the first takes an hour
        if (out / where).exists():
            raise BadInput(f"{out / where} exists already: name another out=..., or delete it")
    for role, where in todo:
        pictures, count = opened(role, root / where, cfg)
        shards = write_shards(
            out / where, tracked(pictures, f"packing {where}", count), cfg.shard_mb << 20
        )
        say(f"{out / where}: {count:,} files in {shards:,} shards")
    say(f"train from them with data_root={out}")


def place(named: dict, root: Path) -> Path:
    """A folder relative to data_root. Raises BadInput for one outside, or for more than one."""
    given = [Path(path).resolve() for path in named.values() if path is not None]
    if len(given) != 1 or not given[0].is_relative_to(root):
        raise BadInput(
            f"pack takes single folders below data_root={root}, "
            f"found {', '.join(str(path) for path in given)}"
        )
    return given[0].relative_to(root)


def opened(role: str, folder: Path, cfg: DictConfig) -> tuple[Iterator[Packed], int]:
    """The pictures of a folder to be packed, and how many there are."""
    if role == "scenes":
        raise BadInput(f"{folder} holds finished scenes: pack takes subjects and backgrounds")
    data = Backgrounds(folder) if role == "backgrounds" else open_subjects(folder)
    if hasattr(data, "frame"):
        return packed_frames(data, cfg.quality, cfg.size), 2 * len(data)
    if cfg.size is not None:
        count = len(data) * (1 if role == "backgrounds" else 2)
        return packed_reduced(data, cfg.size, cfg.quality, cfg.workers), count
    files = {"bgr": data.files} if role == "backgrounds" else data.files
    return packed_pictures(data.stems, files), len(data) * len(files)
