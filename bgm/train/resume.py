"""From resume=... to a whole checkpoint that was made by the same config."""

from collections.abc import Callable, Iterator
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from bgm.console import say
from bgm.data.loaders.file_snapshot import FileSnapshot
from bgm.errors import BadInput
from bgm.train.checkpointing.checkpoint_files import (
    checkpoint_to_resume,
    newest_checkpoint,
    read_lazily,
    steps,
)

# What decides the result of a step; folders, workers, logging and the length may change.
DECIDES = (
    *("backbone", "select", "network", "stage", "loss", "augment", "data.train", "seed"),
    *("batch_size", "callbacks", "trainer.precision", "trainer.devices", "trainer.num_nodes"),
    *("trainer.accumulate_grad_batches", "trainer.gradient_clip_val"),
    *("trainer.gradient_clip_algorithm", "trainer.sync_batchnorm"),
)
# Parts of these that only look at a training and write. A callback that is not known here may do
# anything to a step.
ONLY_WRITES = (
    *("callbacks.best.", "callbacks.last.", "callbacks.pictures.", "callbacks.progress."),
    "stage.metrics.",
)


def find_checkpoint(cfg: DictConfig, own: Path, fits: Callable[[str], Any]) -> str | None:
    """The checkpoint to go on from, or None for a new run.

    cfg.resume: null, a checkpoint (the one before it when it is broken), the folder of a run (its
    newest whole checkpoint), or "auto" (that of own, this run's folder, if it has one).
    fits: raises BadInput for a checkpoint of another network. Raises BadInput when nothing can be
    resumed, for a config that differs, unless cfg.resume_changed is "allow", and for a run that
    begins before a checkpoint that its folder has.
    """
    if cfg.resume_changed not in ("refuse", "allow"):
        raise BadInput(f"resume_changed is {cfg.resume_changed}, expected refuse or allow")
    if cfg.resume is None:
        check_not_behind(own, None)
        return None
    if cfg.resume == "auto":
        path = newest_checkpoint(own)
        if path is None:
            say(f"{own} holds no checkpoint yet: a new run")
            return None
    else:
        path = checkpoint_to_resume(cfg.resume)
        check_not_behind(own, path)
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


def check_not_behind(own: Path, start: Path | None) -> None:
    """Raise BadInput where a run's own folder has a whole checkpoint that is later than its start.

    Of two trainings in one folder the second overwrites what the first has left, one by one, and
    the one with the most steps, which resume=auto takes, is not the one that was interrupted.
    """
    newest = newest_checkpoint(own)
    if newest is not None and steps(newest) > (-1 if start is None else steps(start)):
        begins = "a new training" if start is None else f"one from step {steps(start)} on"
        raise BadInput(
            f"{newest} holds step {steps(newest)} of a training, which {begins} would overwrite: "
            "go on with resume=auto, or give another folder with hydra.run.dir=..."
        )


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
    """What differs among the keys of DECIDES, each as "key old -> new".

    Null is as good as absent, and so is what the key's constructor takes where it is not given: a
    later version may spell out in its config what was so before. A loss term of weight 0 is none.
    Keys that only follow another one, as folders follow data_root, are left out.
    """
    now = OmegaConf.to_container(cfg)  # not resolved: what follows another key has "${" in it
    found = []
    for top in DECIDES:
        for key in dict.fromkeys(leaf for tree in (before, now) for leaf in leaves(tree, top)):
            old, new = value_at(before, key), value_at(now, key)
            if top == "loss":
                old, new = old or None, new or None
            if old == new or "${" in str(new) or f"{key}.".startswith(ONLY_WRITES):
                continue
            given = new if old is None else old
            if None in (old, new) and given == default(before, now, key):
                continue
            shown = ("absent" if value is None else value for value in (old, new))
            found.append(f"{key} {' -> '.join(map(str, shown))}")
    return found


def default(before: Any, now: Any, key: str) -> Any:
    """What the constructor that gets the value at a key takes without it; None where it is none.

    And where the two configs name different constructors there, which is a difference by itself.
    """
    node, _, name = key.rpartition(".")
    target = value_at(now, f"{node}._target_")
    if target is None or target != value_at(before, f"{node}._target_"):
        return None
    try:
        parameter = signature(get_object(target)).parameters[name]
    except (KeyError, ValueError):  # no such argument, or one of a function in C
        return None
    value = None if parameter.default is Parameter.empty else parameter.default
    return list(value) if isinstance(value, tuple) else value


def value_at(tree: Any, key: str) -> Any:
    """The value at a dotted key, or the reference that stands above it; None where nothing is."""
    for part in key.split("."):
        if not isinstance(tree, dict):
            return tree if "${" in str(tree) else None
        tree = tree.get(part)
    return tree


def leaves(tree: Any, key: str) -> Iterator[str]:
    """The dotted keys, from key on, of every value that is not null; lists are values."""
    value = value_at(tree, key)
    if isinstance(value, dict):
        for name in value:
            yield from leaves(tree, f"{key}.{name}")
    elif value is not None:
        yield key
