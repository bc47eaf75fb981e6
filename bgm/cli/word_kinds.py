"""Whether the words of a command line are of the kinds that the command's config has."""

import re
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from bgm.errors import BadInput
from bgm.model.selection import is_number
from bgm.paths import conf_dir

PATH_KEYS = {"ckpt", "init", "resume", "model", "src", "bgr", "out", "data_root", "pred", "report"}
PATH_KEYS |= {"root", "fgr", "pha", "rgba", "folder", "cache", "dir", "check", "manifest", "ocio"}
PATH_KEYS |= {"shots", "holdout", "garbage", "background"}
# Of these one is meant: of several, Hydra would mix what they say, the last one winning.
SINGLE = {"backbone", "crop", "data", "export", "network", "preset", "replace", "stage"}
NO_NAME = re.compile(r"null|true|false|[+-]?[\d.]+(e[+-]?\d+)?", re.IGNORECASE)


def check_choices(args: list[str], command: str) -> list[str]:
    """The words without those that choose nothing, as preset=null where a command has none anyway.

    command: whose config it is, a file of conf. Raises BadInput for preset=[hd,4k], trainer=5 and
    the like.
    """
    optional, kept = _optional_groups(command), []
    for arg in args:
        key, _, value = arg.partition("=")
        if key in SINGLE and value[:1] == "[":
            raise BadInput(f"{arg}: expected one {key}, not a list ({key}=A,B with -m runs both)")
        folder = Path(conf_dir(), key)
        if value == "null" and key in optional:
            continue
        if key.isidentifier() and folder.is_dir() and NO_NAME.fullmatch(value):
            names = sorted(file.stem for file in folder.glob("*.yaml"))
            if value not in names:
                raise BadInput(f"{arg} is none of {', '.join(names)}")
        kept.append(arg)
    return kept


def _optional_groups(command: str) -> set[str]:
    """The groups of which a command's config has none by itself."""
    path = Path(conf_dir(), f"{command}.yaml")
    if not path.is_file():
        return set()
    config: Any = OmegaConf.to_container(OmegaConf.load(path))
    pairs = (item for item in config.get("defaults", []) if isinstance(item, dict))
    return {str(key) for item in pairs for key, value in item.items() if value is None}


ONE_PATH = PATH_KEYS - {"init", "resume", "background"}
OR_MORE = {"size", "share"}  # two numbers for height and width; one for each part of a network
OR_NULL = {"backbone_scale", "port"}  # what null means their configs say
# Of the keys that are null by themselves these are numbers, or may be; all others are words.
NUMBERS = {"align_every", "backbone_scale", "base_scale", "kernel_size", "limit", "max_megapixels"}
NUMBERS |= {"sample_pixels", "threads", "threshold", "workers"}
ANYTHING = {"size", "memory", "shot"}  # a number or two; 6GB or bytes; a number, a name or a list
WHOLE = {"batch_size", "seed", "workers", "threads", "count", "first", "per_process", "sheet_every"}
WHOLE |= {"samples", "alpha_samples", "scenes", "examples", "limit", "align_every", "max_waiting"}


def check_kinds(cfg: DictConfig) -> None:
    """Raise BadInput for a word where the command's own config has a number, or true or false.

    And for a list where it has one path or one word, and for null where it has a value.
    """
    shipped = OmegaConf.load(f"{conf_dir()}/{HydraConfig.get().job.config_name}.yaml")
    _check_kinds(cfg, shipped, "")
    _check_groups(cfg)


def _check_groups(cfg: DictConfig) -> None:
    """The same for words about a key within a group (loss.pha=high), as far as that is certain.

    Composes the config once more without those words, where there are any. Of trainer Lightning
    itself knows what fits.
    """
    words = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    named = {word: word.lstrip("+~").partition("=")[0] for word in words}
    # ranges@data.train.ranges=all chooses a file, as words without a dot may.
    deep = {word: key for word, key in named.items() if "." in key and "@" not in key}
    if not deep:
        return
    others = [word for word in words if word not in deep]
    shipped = compose(str(HydraConfig.get().job.config_name), others)
    for key in deep.values():
        if key.startswith(("trainer.", "hydra.")):
            continue
        expected, found = (OmegaConf.select(config, key) for config in (shipped, cfg))
        what = ""
        if isinstance(expected, bool) and found not in (None, True, False):
            what = "true or false"
        elif is_number(expected) and isinstance(found, str):
            what = "a number"
        elif isinstance(expected, DictConfig) and "_target_" in expected:
            what = "" if found is None or OmegaConf.is_config(found) else "null, or keys below it"
        if what:
            raise BadInput(f"{key}={found}: expected {what}")


def _check_kinds(cfg: DictConfig, shipped: Any, prefix: str) -> None:
    for key in shipped:
        if key not in cfg or OmegaConf.is_missing(cfg, key) or OmegaConf.is_interpolation(cfg, key):
            continue
        name, missing = f"{prefix}{key}", OmegaConf.is_missing(shipped, key)
        expected = None if missing or OmegaConf.is_interpolation(shipped, key) else shipped[key]
        if isinstance(expected, DictConfig) and isinstance(cfg[key], DictConfig):
            _check_kinds(cfg[key], expected, f"{name}.")
        elif what := _wrong_kind(str(key), cfg[key], expected, missing):
            raise BadInput(f"{name}={'null' if cfg[key] is None else cfg[key]}: expected {what}")


def _wrong_kind(key: str, found: Any, expected: Any, missing: bool) -> str:
    """What was expected in the place of a value of another kind; "" for one that fits."""
    several = OmegaConf.is_config(found)
    if found is None:
        needed = missing or (expected is not None and key not in OR_NULL)
        return "a value" if needed else ""
    if isinstance(expected, bool):
        return "" if isinstance(found, bool) else "true or false"
    if is_number(expected) or (expected is None and not missing and key in NUMBERS):
        fits = is_number(found) or (several and key in OR_MORE)
        if fits and key in WHOLE and not float(found).is_integer():
            return "a whole number"
        return "" if fits else "a number"
    if expected is None and key not in ANYTHING and isinstance(found, bool | int | float):
        return "a word"
    if several and (isinstance(expected, str) or key in ONE_PATH):
        return "one word" if isinstance(expected, str) else "one path"
    return ""
