"""What went wrong, as one sentence for whoever has to mend it."""

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    OverrideParseException,
)
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from bgm.errors import BadInput, first_line, lost_worker
from bgm.extras import missing_extra
from bgm.infer.memory import no_memory
from bgm.paths import conf_dir

WORKER = re.compile(r"DataLoader worker \(pid.*(killed|exited)|Pin memory thread exited")
ONE_VALUE = "Expected more than 1 value per channel when training"  # PyTorch's words
INTERVAL = re.compile(
    r"`val_check_interval` \((\d+)\) must be less .* batches \((\d+)\)"
)  # Lightning's
SAME = {"ckpt": ["model"], "model": ["ckpt"], "weights": ["ckpt", "model"]}  # of other programs
UNKNOWN = (ConfigAttributeError, ConfigKeyError)
LOST = re.compile(r"/gloo/|NCCL error|ProcessGroup|TCPStore")
MAKE_ROOM = (
    "it does not fit in memory: lower batch_size, augment.crop or the size of the pictures; "
    "trainer.accumulate_grad_batches=2 with half the batch_size adds up the same gradients"
)


def error_message(error: BaseException) -> str | None:
    """The sentence for the user, or None for a defect of ours, which shows its traceback."""
    for cause in causes(error):
        if isinstance(cause, BadInput):
            return str(cause)
        if sentence := missing_extra(cause):
            return sentence
        # By name: Lightning is slow to import, and half of the commands need none of it.
        if type(cause).__name__ == "MisconfigurationException":
            return " ".join(str(cause).split())
        # By name, of submitit: a job that ended without an answer; its message has the whole log.
        if type(cause).__name__ in ("UncompletedJobError", "FailedJobError"):
            return first_line(cause)
        if no_memory(cause):
            return f"{first_sentence(cause)}: {MAKE_ROOM}"
        if isinstance(cause, ValueError) and ONE_VALUE in str(cause):
            return (
                "a batch of one picture is too small for BatchNorm: expected batch_size=2 or more"
            )
        if isinstance(cause, ValueError) and (long := INTERVAL.search(str(cause))):
            return (
                f"trainer.val_check_interval={long[1]} steps are more than an epoch has, "
                f"{long[2]}: trainer.check_val_every_n_epoch=null counts them through all epochs"
            )
        if isinstance(cause, RuntimeError) and WORKER.search(str(cause)):
            return lost_worker(cause)
        if lost_a_process(cause):
            return (
                f"process {os.environ.get('RANK', os.environ.get('LOCAL_RANK', '0'))} lost contact "
                f"with another one of this training, which has ended or hangs "
                f"({first_sentence(cause)}): go on with resume=RUN_FOLDER"
            )
    if isinstance(error, OmegaConfBaseException):
        missing = re.match(r"Missing mandatory value: (\S+)", str(error))
        if missing:
            return f"{missing[1]}=... is missing on the command line"
        return str(error).splitlines()[0]
    if isinstance(error, ConfigCompositionException | OverrideParseException):
        return meaningless(error)
    if isinstance(error, InstantiationException):
        return refused_word(error)
    if isinstance(error, HydraException) and error.__cause__ is None:
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    return None


def refused_word(error: InstantiationException) -> str | None:
    """Which word of the command line a constructor could not take; None where none is near it.

    What is built from the shipped configs alone and fails is a defect of ours.
    """
    cause = error.__cause__
    if cause is None:
        return str(error).splitlines()[0]
    found = re.search(r"'([^']+)'.*\n[\s\S]*full_key: (\S+)", str(error))
    given = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    inner = innermost(error)
    absent = re.match(r"Error locating target '([^']+)'", str(inner))
    if absent and (naming := [word for word in given if absent[1] in word]):
        why = first_line([*causes(error)][-1])
        return f"{' '.join(naming)}: {absent[1]} cannot be imported ({why})"
    if not (found and given):
        return None
    places = tuple(f"{place}." for place in (found[2], *referred_to(found[2])))
    keys = {word: word.lstrip("+~").partition("=")[0] for word in given}
    near = [word for word in given if keys[word].startswith(places)]
    if not near:
        return None
    target = (re.search(r"'([^']+)'", str(inner)) or found)[1].rpartition(".")[2]
    cause = inner.__cause__ or inner
    said = first_line(cause)  # often names an argument
    blamed = [word for word in near if f"'{keys[word].rpartition('.')[2]}'" in said] or near
    return f"{' '.join(blamed)}: {target} cannot take it ({type(cause).__name__}: {said})"


def innermost(error: InstantiationException) -> InstantiationException:
    """The part that failed where a constructor builds parts of its own, as a stage its network."""
    while isinstance(error.__cause__, InstantiationException):
        error = error.__cause__
    return error


def referred_to(key: str) -> list[str]:
    """The groups that make up the config at a key: stage has network's in it, and that select's."""
    hydra = HydraConfig.get()
    config: Any = compose(str(hydra.job.config_name), list(hydra.overrides.task))
    found: list[str] = []
    while "." in key and OmegaConf.select(config, key) is None:  # Hydra's trainer.callbacks3
        key = key.rpartition(".")[0]
    left = [OmegaConf.select(config, key)]
    while left:
        node = left.pop()
        text = OmegaConf.to_yaml(node) if OmegaConf.is_config(node) else ""
        for group in re.findall(r"\$\{(?:[\w.]+:)?(\w+)", text):
            if group not in found:
                found.append(group)
                left.append(OmegaConf.select(config, group))
    return found


def meaningless(error: HydraException) -> str:
    """Hydra's message about words on the command line, without its search path and its advice."""
    lines = str(error).splitlines()
    absent = re.match(r"In '.*': Could not find '(.+)/(.+)'", lines[0])
    if absent:
        renamed = re.fullmatch(r"(base|refine)_(\w+)", absent[2])
        known = renamed and (Path(conf_dir()) / "data" / f"{renamed[2]}.yaml").is_file()
        if absent[1] == "experiment" and renamed and known:
            return f"experiment={absent[2]} is now experiment={renamed[1]} data={renamed[2]}"
        options = [line.strip() for line in lines if line.startswith("\t") and "=" not in line]
        return f"{absent[1]}={absent[2]} is none of {', '.join(options)}"
    cause = error.__cause__
    if lines[0].startswith("Could not override") and isinstance(cause, UNKNOWN):
        return unknown_key(cause)
    return lines[0]


def unknown_key(error: ConfigAttributeError | ConfigKeyError) -> str:
    """What stands in the place where a key was looked for: the one that is like it, or all."""
    name = str(error.key)
    there = [str(key) for key in error.parent_node or () if key != "hydra"]
    like = [key for key in SAME.get(name, ()) if key in there]
    like = like or [key for key in there if name in key.split("_")]  # scale: backbone_scale
    like = like or get_close_matches(name, there, 1, 0.7)
    rest = f"expected one of {', '.join(there)}" if there else "its place has no keys"
    what = f"did you mean {like[0]}=?" if like else rest
    new = f" (+{error.full_key}=... adds it)" if "." in str(error.full_key) else ""
    return f"there is no key {error.full_key}: {what}{new}"


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from: Hydra wraps what a constructor raises.

    Each once: an error that is kept and raised again comes from itself, as TensorBoard's does.
    """
    cause: BaseException | None = error
    seen = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def lost_a_process(error: BaseException) -> bool:
    """Whether a collective failed because another process did not take part."""
    if not isinstance(error, RuntimeError):
        return False
    network = getattr(torch.distributed, "DistError", ())
    return isinstance(error, network) or LOST.search(str(error)) is not None


def first_sentence(error: BaseException) -> str:
    """The first sentence of a message, without where in somebody's source it was written."""
    said = re.sub(r"^\[[^\]]*\.(cc|cpp|h):\d+\]\s*", "", first_line(error))
    said = re.sub(r"^\[enforce fail at [^\]]*\]\s*", "", said)
    return said.split(". ")[0].rstrip(".")
