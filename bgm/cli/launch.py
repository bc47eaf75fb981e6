"""What every command line shares: paths as typed, a run id, one sentence for the user's errors."""

import functools
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig

from bgm.cli.error_messages import sentence
from bgm.cli.run_id import run_id
from bgm.console import is_first, say
from bgm.errors import BadInput, Stopped
from bgm.paths import conf_dir

PATH_KEYS = {"ckpt", "init", "resume", "model", "src", "bgr", "out", "data_root", "pred", "report"}
PATH_KEYS |= {"root", "fgr", "pha", "rgba", "folder", "cache", "dir", "check", "manifest"}
T = TypeVar("T")
R = TypeVar("R")


def script(name: str) -> Callable[[Callable[[DictConfig], R]], Callable[[], None]]:
    """Turn a function of a config into a command line over conf/NAME.yaml."""

    def decorate(body: Callable[[DictConfig], R]) -> Callable[[], None]:
        @functools.wraps(body)
        def main() -> None:
            # One id for all ranks and all jobs of a sweep: ${now} differs between processes.
            os.environ.setdefault("BGM_RUN_ID", run_id())
            sys.argv[1:] = as_typed(sys.argv[1:])
            guarded(run_dirs_writable)(sys.argv[1:])
            guarded(functools.partial(composes, name))(sys.argv[1:])
            hydra.main(config_path=conf_dir(), config_name=name, version_base="1.3")(
                guarded(body)
            )()

        return main

    return decorate


def composes(name: str, args: list[str]) -> None:
    """Compose the config once where we can catch what Hydra says: inside of it, it takes a page.

    Raises Hydra's errors. Its own flags and words are left to it.
    """
    if any(arg.startswith(("-", "hydra")) for arg in args):
        return
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        compose(name, args)


def run_dirs_writable(args: list[str]) -> None:
    """Raise BadInput for a hydra.run.dir that cannot be made: Hydra makes it before our code runs.

    Only what is spelled out is looked at, up to the first interpolation.
    """
    for arg in args:
        key, _, value = arg.partition("=")
        folder = value.strip("'\"").split("${")[0]
        if key in ("hydra.run.dir", "hydra.sweep.dir") and folder:
            can_be_made(Path(folder))


def can_be_made(folder: Path) -> None:
    """Raise BadInput when folder is not there and cannot be made, or is not ours to write to."""
    above = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not above.is_dir():
        raise BadInput(f"folder {folder} cannot be made: {above} is a file, expected a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise BadInput(f"folder {folder} cannot be written: no permission to write in {above}")


def guarded(body: Callable[[T], R]) -> Callable[[T], R]:
    """body, with the errors that are the user's to mend as one sentence and exit code 1.

    A run that was asked to stop ends with a sentence and code 75. Of several processes only the
    first one does: Lightning kills the first when another ends with a code that is not 0.
    """

    @functools.wraps(body)
    def run(cfg: T) -> R:
        quiet()
        try:
            return body(cfg)
        except Stopped as stop:
            say(str(stop))
            raise SystemExit(stop.code if is_first() else 0) from None
        except Exception as error:
            said = sentence(error, cfg)
            if said is None:
                raise
            print(f"error: {said}", file=sys.stderr)
            raise SystemExit(1) from None

    return run


def quiet() -> None:
    """Silence Lightning's banner, and its warnings about what we do on purpose."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        r"Checkpoint directory .* exists and is not empty",  # a run goes on in its folder
        r".*does not have many workers",
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's own
    ):
        warnings.filterwarnings("ignore", message=message)


def as_typed(args: list[str]) -> list[str]:
    """Quote the values that Hydra's grammar would refuse or split, so that paths work as typed."""
    sweep = any(a in ("-m", "--multirun") for a in args)
    return [quoted(a, sweep) for a in args]


def quoted(arg: str, sweep: bool) -> str:
    key, equals, value = arg.partition("=")
    if not equals or arg.startswith("-") or not value or value[0] in "'\"" or "${" in value:
        return arg
    is_path = key.lstrip("+~").split(".")[-1] in PATH_KEYS and value != "null"
    if is_path and sweep and "," in value and not Path(value).exists():
        return arg  # a sweep over several files
    if not is_path:
        try:
            OverridesParser.create().parse_override(arg)
            return arg
        except HydraException:
            pass
        if value[0] == "[" and value[-1] == "]":  # [export=onnx,opset=17], [runs/a b/last.ckpt]
            words = [in_quotes(word.strip()) for word in value[1:-1].split(",")]
            return f"{key}=[{','.join(words)}]"
    return f"{key}={in_quotes(value)}"


def in_quotes(value: str) -> str:
    """A value as a string of Hydra's, a home folder spelled out."""
    if value.startswith("~/"):
        value = str(Path(value).expanduser())
    # In a quoted string of Hydra's only a quote, and backslashes right before one, are escaped.
    value = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
    return f"'{value}'"
