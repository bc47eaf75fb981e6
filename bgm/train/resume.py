"""From resume=... to a whole checkpoint that was made by the same config."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from bgm.console import say
from bgm.data.loaders.file_snapshot import FileSnapshot
from bgm.errors import BadInput
from bgm.train.checkpointing.checkpoint_files import (
    checkpoint_to_resume,
    newest_checkpoint,
    read_lazily,
)

# What decides the result of a step; folders, workers, logging and the length may change.
DECIDES = (
    *("backbone", "select", "network", "stage", "loss", "augment", "data.train", "seed"),
    *("batch_size", "callbacks.ema", "callbacks.grow", "trainer.precision", "trainer.devices"),
    *("trainer.accumulate_grad_batches", "trainer.gradient_clip_val", "trainer.num_nodes"),
)


def find_checkpoint(cfg: DictConfig, fits: Callable[[str], Any]) -> str | None:
    """The checkpoint to go on from, or None for a new run.

    cfg.resume: null, a checkpoint (the one before it when it is broken), the folder of a run (its
    newest whole checkpoint), or "auto" (that of this run's own folder, if it has one).
    fits: raises BadInput for a checkpoint of another network. Raises BadInput when nothing can be
    resumed, and for a config that differs, unless cfg.resume_changed is "allow".
    """
    if cfg.resume_changed not in ("refuse", "allow"):
        raise BadInput(f"resume_changed is {cfg.resume_changed}, expected refuse or allow")
    if cfg.resume is None:
        return None
    if cfg.resume == "auto":
        own = Path(HydraConfig.get().runtime.output_dir)
        path = newest_checkpoint(own)
        if path is None:
            say(f"{own} holds no checkpoint yet: a new run")
            return None
    else:
        path = checkpoint_to_resume(cfg.resume)
    fits(str(path))
    before = read_lazily(path).get("bgm_card", {}).get("config")
    if before and cfg.resume_changed != "allow" and (found := differences(before, cfg)):
        shown = "; ".join(found[:6]) + ("; ..." if len(found) > 6 else "")
        raise BadInput(
            f"{path} cannot be resumed as it is, {len(found)} of the keys it was trained with "
            f"differ: {shown}: give the old values, start anew with init=..., or say "
            "resume_changed=allow (learning rates stay those of the checkpoint)"
        )
    if path.is_file() and str(path) != str(cfg.resume):
        say(f"resuming {path}")
    return str(path)


def build_data(cfg: DictConfig, checkpoint: str | None) -> Any:
    """The data of a config, with what the checkpoint's run had on disk when it began.

    A file that has gone since is then a bad file, as it is for a run that was not stopped, and the
    order stays. With cfg.resume_changed="allow" the data are what is there now.
    """
    if checkpoint is None or cfg.resume_changed == "allow":
        return instantiate(cfg.data)
    kind = str(cfg.data.get("_target_")).rpartition(".")[2]  # Lightning's key for its state
    stored = read_lazily(Path(checkpoint)).get(kind, {}).get("snapshot", {})
    return instantiate(cfg.data, **snapshot_arguments(stored, cfg.data))


def snapshot_arguments(stored: dict, node: DictConfig) -> dict[str, Any]:
    """The stored lists of files at the places that the config still has."""
    found: dict[str, Any] = {}
    for name, part in stored.items():
        if name == "snapshot":
            found[name] = FileSnapshot(**part)
            continue
        child = node.get(name)
        inner = snapshot_arguments(part, child) if isinstance(child, DictConfig) else {}
        if inner:
            found[name] = inner
    return found


def differences(before: dict, cfg: DictConfig) -> list[str]:
    """What differs among the keys of DECIDES, each as "key old -> new"; new keys may be newer code.

    Keys that only follow another one, as folders follow data_root, are left out.
    """
    now = OmegaConf.to_container(cfg)  # not resolved: what follows another key has "${" in it
    found = []
    for top in DECIDES:
        for key, old in leaves(value_at(before, top), top):
            new = value_at(now, key)
            if new != old and "${" not in str(new):
                found.append(f"{key} {old} -> {'absent' if new is None else new}")
    return found


def value_at(tree: Any, key: str) -> Any:
    """The value at a dotted key, or the reference that stands above it; None where nothing is."""
    for part in key.split("."):
        if not isinstance(tree, dict):
            return tree if "${" in str(tree) else None
        tree = tree.get(part)
    return tree


def leaves(tree: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every value in nested dicts that is none itself; lists are values."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from leaves(value, f"{key}.{name}")
    elif tree is not None:
        yield key, tree
