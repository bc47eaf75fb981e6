"""What every command line shares: paths as typed, a run id, one sentence for the user's errors."""

import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from bgm.cli.error_messages import error_message
from bgm.cli.word_kinds import PATH_KEYS, check_choices
from bgm.console import is_first, say, say_error
from bgm.errors import Stopped
from bgm.paths import conf_dir


def run_id() -> str:
    """When the run was started; SLURM's job step where there is one.

    Under torchrun and srun every process starts by itself, fractions of a second apart: they share
    the time at which torchrun started, or the number of the step, which a requeued job keeps.
    """
    job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
    if job and step:
        return f"slurm-{job}-{step}"
    started = datetime.now()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        started = start_of(os.getppid()) or started
    return started.strftime("%Y-%m-%d_%H-%M-%S")


def start_of(pid: int) -> datetime | None:
    """When a process started, where the system tells it."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        lines = Path("/proc/stat").read_text().splitlines()
        boot = int(next(line.split()[1] for line in lines if line.startswith("btime ")))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
    return datetime.fromtimestamp(boot + ticks / os.sysconf("SC_CLK_TCK"))


COMMAS = {"outputs"}  # outputs=com,pha are two words, not two runs


@contextmanager
def command_line() -> Iterator[None]:
    """Prepare sys.argv and the environment for a function of `hydra.main` that the block calls.

    Paths may be typed without Hydra's quotes, all processes of a run share one id (BGM_RUN_ID), and
    what Hydra refuses is one sentence, as in `errors_as_sentences`.
    """
    # One id for all ranks and all jobs of a sweep: ${now} differs between processes.
    os.environ.setdefault("BGM_RUN_ID", run_id())
    # Hydra raises its errors then; else it prints a page about them and exits by itself.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    with errors_as_sentences():
        command = Path(sys.argv[0]).stem.split()[-1]  # train.py, bgm doctor
        sys.argv[1:] = as_typed(check_choices(sys.argv[1:], command))
        yield


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """End the program with one sentence and exit code 1 for errors that are the user's to mend.

    A run that was asked to stop ends with a sentence and code 75, of several processes the first:
    Lightning kills it when another ends with a code. Defects of ours keep their traceback.
    """
    try:
        try:
            yield
        except Exception:
            # PyTorch raises from a signal for every loader that lost a worker, wherever we are:
            # here it still comes to the sentence below, there it would come in between.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            raise
    except Stopped as stop:
        say(str(stop))
        raise SystemExit(stop.code if is_first() else 0) from None
    except Exception as error:
        message = error_message(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(1) from None


@contextmanager
def errors_of_a_job() -> Iterator[None]:
    """`errors_as_sentences` for a function that `-m` may call once for each job.

    In a sweep the sentence is said, and the error goes to the launcher, so that the other jobs go
    on; Hydra raises the first one when all are done.
    """
    sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    with nullcontext() if sweep else errors_as_sentences():
        try:
            yield
        except Stopped as stop:
            say_error(str(stop))
            raise SystemExit(stop.code) from None
        except Exception as error:
            if sweep and (message := error_message(error)):
                say_error(f"error: {message}")
            raise


def compose_config(name: str, words: list[str]) -> DictConfig:
    """The config that the command of this name makes of these words, inside of Hydra or not."""
    if GlobalHydra.instance().is_initialized():
        return compose(name, as_typed(words))
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return compose(name, as_typed(words))


def silence_lightning() -> None:
    """Silence Lightning's banner, and its warnings about what we do on purpose."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        r"Checkpoint directory .* exists and is not empty",  # a run goes on in its folder
        r".*does not have many workers",
        r"It is recommended to use `self\.log\(.*sync_dist=True",  # ours add up over ranks
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # Lightning's own
    ):
        warnings.filterwarnings("ignore", message=message)


def as_typed(args: list[str]) -> list[str]:
    """Quote the values that Hydra's grammar would refuse or split, so that paths work as typed."""
    sweep = any(a in ("-m", "--multirun") for a in args)
    return [quoted(a, sweep) for a in args]


def quoted(arg: str, sweep: bool) -> str:
    """A word of the command line, its value in quotes where that is a path that needs them."""
    key, equals, value = arg.partition("=")
    if not equals or arg.startswith("-") or not value or value[0] in "'\"":
        return arg
    name = key.lstrip("+~").split(".")[-1]
    flags = ("null", "true", "false") if name == "resume" else ("null",)  # also a folder
    is_path = name in PATH_KEYS | COMMAS and value not in flags
    is_path &= not key.startswith("loss.")  # whose terms are pha and fgr, too
    if "${" in value:  # of Hydra, unless a file is really called so
        literal = in_quotes(value).replace("${", "\\${")
        return f"{key}={literal}" if is_path and os.path.lexists(value) else arg
    if value[0] + value[-1] in ("{}", "[]") and not Path(value).exists():
        is_path = False  # init=[a.ckpt,b.ckpt]; ranges.shots={head:1}, which bears a path's name
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
