"""bgm pack data=... data_root=... out=... [size=512]: tar shards, as they are or reduced."""

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from bgm.cli.doctor import PLACES, sources
from bgm.console import say, tracked
from bgm.data.fingerprint import fingerprint
from bgm.data.shards import pack, shards_made_from, write_shards
from bgm.errors import BadInput


def main(cfg: DictConfig) -> None:
    """Pack every folder of a data config below out, which has data_root's layout then.

    A part appears whole or not at all; the same command goes on with those that are not there.
    """
    root, out, size = Path(cfg.data_root).resolve(), Path(cfg.out), cfg.size
    todo = {place(config, root): (role, config) for _, role, config in sources(cfg)}
    if not todo:
        raise BadInput(f"data={cfg.data._target_} names no folders: there is nothing to pack")
    parts = []
    for where, (role, config) in todo.items():  # all of them before the first takes an hour
        if role == "scenes":
            raise BadInput(f"{root / where} holds finished scenes: pack takes subjects")
        source = instantiate(config)
        files = pack(source, size, cfg.quality, cfg.workers)
        made_from = fingerprint(source, size, cfg.quality, cfg.shard_mb)
        is_there = (out / where).exists()
        if is_there and shards_made_from(out / where) != made_from:
            raise BadInput(
                f"{out / where} exists already, made from something else: name another out=..., "
                "or delete it"
            )
        parts.append((where, role, source, files, made_from, is_there))
    for where, role, source, files, made_from, is_there in parts:
        if is_there:
            say(f"{out / where}: {len(source):,} {role} are packed already")
            continue
        followed = tracked(files, f"packing {where}")
        shards = write_shards(out / where, followed, cfg.shard_mb << 20, made_from)
        say(f"{out / where}: {len(source):,} {role} in {shards:,} shards")
    say(f"train from them with data_root={out}")


def place(config: dict, root: Path) -> Path:
    """A folder or zip relative to data_root; BadInput for one outside, or for more than one."""
    given = [Path(config[key]).resolve() for key in PLACES if config.get(key) is not None]
    if len(given) != 1 or not given[0].is_relative_to(root):
        raise BadInput(
            f"pack takes single folders below data_root={root}, "
            f"found {', '.join(str(path) for path in given)}"
        )
    path = given[0].relative_to(root)
    return path.with_suffix("") if path.suffix == ".zip" else path
