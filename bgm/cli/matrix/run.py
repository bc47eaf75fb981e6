"""Command lines of the export matrix: which there are, and how one of them ends."""

import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

import bgm
from bgm.cli.launch import compose_config
from bgm.errors import BadInput, first_line
from bgm.export import CertifyOptions, Target, export_and_certify
from bgm.export.certify.compare import Wrong
from bgm.export.certify.matting_set import MattingSet

CALIBRATION_SCENES = 4
SCORED_SCENES = 6


@dataclass(frozen=True)
class Result:
    """One command line of export.py and how it ended."""

    words: list[str]
    status: str  # works, wrong or refused
    message: str = ""  # the sentence of the refusal, or of the error
    largest: float | None = None  # absolute, of any output
    pha_mean: float | None = None  # the largest mean error of alpha in any batch
    ratio: float | None = None  # seconds of the file / of eager PyTorch, one thread each
    seconds: float = 0.0  # to write, open and compare
    grid: str = "brief"
    eager: float | None = None  # largest error of eager float32 from float64; 0: not needed
    mad_network: float | None = None  # x1e3, on the matting set
    mad_file: float | None = None
    date: str = ""
    made_with: str = ""  # the checkpoint and the packages


def command_lines(
    groups: Iterable[Mapping], ckpts: Iterable[str], only: str | Iterable[str]
) -> list[list[str]]:
    """The words of every line: each group for each checkpoint.

    only: parts of words, each of which a line has to hold.
    """
    only, lines = several(only), []
    for group in groups:
        axes = {"ckpt": ckpts} | dict(group)
        words = [[f"{key}={value}" for value in several(axis)] for key, axis in axes.items()]
        lines += [" ".join(line).split() for line in itertools.product(*words)]
    return [line for line in lines if all(any(part in w for w in line) for part in only)]


def several(value: Any) -> Sequence[Any]:
    """One word as a list of one, as typed without brackets."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def title(words: list[str], grid: str) -> str:
    """What a command line is known by among the results."""
    return f"{' '.join(words)} ({grid})"


def try_export(words: list[str], grid: str) -> Result:
    """Export and certify over a grid; with the matting set over the default one."""
    start = time.perf_counter()
    numbers: dict = {}
    try:
        numbers = certify(bgm.load(compose_export(words).ckpt), make_target(words), grid)
        status, message = "works", ""
    except Exception as error:  # whatever another project's code says is the result
        status, message = "wrong" if isinstance(error, Wrong) else "refused", sentence(error)
    seconds = time.perf_counter() - start
    return Result(words, status, message, seconds=seconds, grid=grid, **numbers)


def certify(net: nn.Module, target: Target, grid: str) -> dict:
    """What the certificate of a file that is thrown away says."""
    scored = grid == "default" or target.precision == "int8"  # which nothing else judges
    mattes = MattingSet(SCORED_SCENES, target.shape) if scored else None
    with tempfile.TemporaryDirectory(prefix="bgm-matrix-") as folder:
        out = Path(folder) / f"model{target.suffix}"
        certificate = export_and_certify(target, net, out, options=CertifyOptions(grid, mattes))
    facts = certificate.facts
    return {
        "largest": certificate.report.largest,
        "pha_mean": facts["worst"]["pha"]["mean"],
        "ratio": facts["time"]["ratio"],
        "eager": certificate.report.eager,
    } | {f"mad_{k}": facts["matting"][k]["mad"] for k in ("network", "file") if mattes}


def compose_export(words: list[str]) -> DictConfig:
    """The config of export.py for these words; a HydraException where they are wrong."""
    return compose_config("export", words)


def make_target(words: list[str]) -> Target:
    """The target that export.py would use, calibrated on procedural scenes where it must be."""
    target = instantiate(compose_export(words).export)
    if target.precision == "int8":
        scenes = MattingSet(CALIBRATION_SCENES, target.shape)
        target.calibration = list(zip(scenes.src, scenes.bgr, strict=True))
    return target


def sentence(error: BaseException) -> str:
    """The first line of an error, short enough for a table."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, BadInput):  # Hydra wraps
        cause = cause.__cause__
    return (first_line(cause) if cause else f"{type(error).__name__}: {first_line(error)}")[:300]


LONGEST = 3600  # seconds for one command line


class Worker:
    """Runs command lines of export.py in another process, and replaces it when it dies."""

    def __init__(self, method: str = "spawn"):
        self.context = multiprocessing.get_context(method)
        self.others = multiprocessing.active_children()
        self.pool = ProcessPoolExecutor(1, self.context)

    def run(self, words: list[str], grid: str) -> Result:
        """The result of a command line; a process that dies or takes too long is a refusal."""
        try:
            return self.pool.submit(try_export, words, grid).result(LONGEST)
        except TimeoutError:
            message = f"no answer after {LONGEST} s"
        except BrokenProcessPool:
            message = "the process died"
        self.stop()
        self.pool = ProcessPoolExecutor(1, self.context)
        return Result(words, "refused", message, grid=grid)

    def stop(self) -> None:
        for process in multiprocessing.active_children():
            if process not in self.others:
                process.kill()
        self.pool.shutdown()
