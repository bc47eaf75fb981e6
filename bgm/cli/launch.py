"""What every command line shares: paths as typed, a run id, one sentence for the user's errors."""

import functools
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.progress import track

from bgm.errors import BadInput

PATH_KEYS = {"ckpt", "init", "resume", "model", "src", "bgr", "out", "data_root", "pred", "report"}
PATH_KEYS |= {"root", "fgr", "pha", "rgba", "folder", "cache", "dir", "check", "manifest"}
T = TypeVar("T")
console = Console(highlight=False, soft_wrap=True)


def say(*what: object, sep: str = " ") -> None:
    """Print, rich markup and all; of several processes only the first one does."""
    if os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0":
        console.print(*what, sep=sep)


def conf_dir() -> str:
    """The folder of YAML files: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parents[1]
    beside = package.parent / "conf"
    return str(
        beside if beside.is_dir() and (package.parent / "train.py").is_file() else package / "conf"
    )


def script(name: str) -> Callable[[Callable[[DictConfig], None]], Callable[[], None]]:
    """Turn a function of a config into a command line over conf/NAME.yaml."""

    def decorate(body: Callable[[DictConfig], None]) -> Callable[[], None]:
        @functools.wraps(body)
        def main() -> None:
            # One id for all ranks and all jobs of a sweep: ${now} differs between processes.
            os.environ.setdefault("BGM_RUN_ID", datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
            sys.argv[1:] = as_typed(sys.argv[1:])
            guarded(run_dirs_writable)(sys.argv[1:])
            hydra.main(config_path=conf_dir(), config_name=name, version_base="1.3")(
                guarded(body)
            )()

        return main

    return decorate


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


def guarded(body: Callable[[T], None]) -> Callable[[T], None]:
    """body, with the errors that are the user's to mend as one sentence and exit code 1."""

    @functools.wraps(body)
    def run(cfg: T) -> None:
        quiet()
        try:
            body(cfg)
        except Exception as error:
            said = sentence(error)
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


def sentence(error: BaseException) -> str | None:
    """The sentence for the user, or None for a defect of ours, which shows its traceback."""
    cause: BaseException | None = error
    while cause is not None:  # Hydra wraps what a constructor raises
        if isinstance(cause, BadInput):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, OmegaConfBaseException):
        missing = re.match(r"Missing mandatory value: (\S+)", str(error))
        if missing:
            return f"{missing[1]}=... is missing on the command line"
        return str(error).splitlines()[0]
    if isinstance(error, HydraException) and error.__cause__ is None:
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    return None


def tracked(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """The same items, with a progress bar around them on a terminal."""
    return track(items, what, total=total, transient=True, disable=not sys.stdout.isatty())


def beside(path: str, suffix: str) -> str:
    """A name beside a file: runs/x/last.ckpt and "-scores" give runs/x/last-scores."""
    return f"{Path(path).with_suffix('')}{suffix}"


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
    if value.startswith("~/"):
        value = str(Path(value).expanduser())
    # In a quoted string of Hydra's only a quote, and backslashes right before one, are escaped.
    value = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), value)
    return f"{key}='{value}'"
