"""Cells of the export matrix: which command lines there are, and what became of one."""

import itertools
import json
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

import bgm
from bgm.errors import BadInput
from bgm.export import Exam, Target
from bgm.export.certify.check import check
from bgm.export.certify.compare import Wrong
from bgm.export.certify.grid import brief
from bgm.export.certify.matting_set import MattingSet
from bgm.export.certify.steered_error import twin
from bgm.export.certify.test_pictures import last_error, smooth
from bgm.export.certify.timing import timed
from bgm.export.prepare import refiner_of
from bgm.paths import conf_dir

CALIBRATION = 4  # scenes for int8
RUNTIME = "runtime="  # the one word that does not change what is written


@dataclass(frozen=True)
class Cell:
    """One command line of export.py and how it ended."""

    words: list[str]
    status: str  # works, wrong or refused
    said: str = ""  # the sentence of the refusal, or of the error
    largest: float | None = None  # absolute, of any output
    pha_mean: float | None = None  # the largest mean error of alpha in any batch
    ratio: float | None = None  # seconds of the file / of eager PyTorch, one thread each
    seconds: float = 0.0  # to write, open and compare
    grid: str = "brief"
    mad: dict[str, float] = field(default_factory=dict)  # x1e3, of network and file

    def as_line(self) -> str:
        return json.dumps(asdict(self))


def command_lines(cfg: DictConfig) -> list[list[str]]:
    """The words of every cell: each group times the methods, if it has patches to refine."""
    lines = []
    for group in cfg.groups:
        methods = {} if group.get("part") == ["base"] else cfg.methods
        axes = {"export": group.export} | dict(methods) | dict(group)
        words = [[f"{key}={value}" for value in values] for key, values in axes.items()]
        lines += [" ".join(line).split() for line in itertools.product(*words)]
    return [line for line in lines if all(any(w in x for x in line) for w in cfg.only)]


class Bench:
    """Tries cells on one network; a file that was written for one runtime serves the next."""

    def __init__(self, ckpt: str):
        self.net = bgm.load(ckpt)
        self.folder = tempfile.TemporaryDirectory(prefix="bgm-matrix-")
        self.written: tuple[list[str], Path, str] = ([], Path(), "")

    def tried(self, words: list[str]) -> Cell:
        """The cell of these words, on the twin of the network: its errors are steered.

        Two batches of two sizes, on smooth pictures and with an error in the last picture only.
        """
        start = time.perf_counter()
        found: dict = {}
        try:
            target = target_of(words)
            found = self.compared(target, words)
            status, said = "works", ""
        except Wrong as error:
            status, said = "wrong", str(error)
        except Exception as error:  # whatever another project's code says is the cell's content
            status, said = "refused", sentence(error)
        return Cell(words, status, said, seconds=time.perf_counter() - start, **found)

    def compared(self, target: Target, words: list[str]) -> dict:
        truth, path = self.write(target, words)
        run = target.open(path)
        shapes = [target.shape] if target.shape else brief(truth)
        contents = {"smooth": smooth, "error in the last": last_error}
        if refiner_of(truth) is None:
            contents.popitem()
        limits = target.limits._replace(mean=target.limits.steered)
        report = check(truth, run, limits, shapes, contents)
        return {
            "largest": report.largest,
            "pha_mean": report.worst()["pha"][1],
            "ratio": timed(truth, run, max(shapes), smooth)["ratio"],
        }

    def write(self, target: Target, words: list[str]) -> tuple[nn.Module, Path]:
        """The twin in eager PyTorch, and as a file that may have been written before."""
        key = [w for w in words if not w.startswith(RUNTIME)]
        out = Path(self.folder.name) / f"{abs(hash(tuple(key)))}{target.suffix}"
        target.refuse(self.net, out)
        truth = target.truth(self.net)
        truth = truth if refiner_of(truth) is None else twin(truth)
        if self.written[0] == key and self.written[2]:
            raise BadInput(self.written[2])  # the same refusal
        if self.written[0] != key:
            for old in Path(self.folder.name).iterdir():
                old.unlink()
            prepared = target.prepare(truth)
            try:
                target.write(prepared, out, target.describe(prepared))
            except Exception as error:
                self.written = (key, out, sentence(error))
                raise
            self.written = (key, out, "")
        return truth, out

    def certified(self, words: list[str]) -> Cell:
        """The cell of these words as export.py would certify it: whole grid, matting set."""
        start = time.perf_counter()
        try:
            target = target_of(words)
            with tempfile.TemporaryDirectory(prefix="bgm-matrix-") as folder:
                out = Path(folder) / f"model{target.suffix}"
                facts = target(self.net, out, exam=Exam("default", judge(target))).facts
        except Exception as error:
            status = "wrong" if isinstance(error, Wrong) else "refused"
            seconds = time.perf_counter() - start
            return Cell(words, status, sentence(error), seconds=seconds, grid="default")
        return Cell(
            words,
            "works",
            largest=max(x["largest"] for x in facts["worst"].values()),
            pha_mean=facts["worst"]["pha"]["mean"],
            ratio=facts["time"]["ratio"],
            seconds=time.perf_counter() - start,
            grid="default",
            mad={k: facts["matting"][k]["mad"] for k in ("network", "file")},
        )


def judge(target: Target) -> MattingSet:
    return MattingSet(6, target.shape)


def configured(words: list[str]) -> DictConfig:
    """What export.py would instantiate for these words; a HydraException where they are wrong."""
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return compose("export", ["ckpt=none", *words]).export


def target_of(words: list[str]) -> Target:
    """The exporter that export.py would use, calibrated on procedural scenes where it must be."""
    target = instantiate(configured(words))
    if target.precision == "int8":
        scenes = MattingSet(CALIBRATION, target.shape)
        target.calibration = list(zip(scenes.src, scenes.bgr, strict=True))
    return target


def sentence(error: BaseException) -> str:
    """The first line of what was said, short enough for a table."""
    cause = error
    while cause is not None and not isinstance(cause, BadInput):  # Hydra wraps
        cause = cause.__cause__
    lines = str(cause or error).strip().splitlines()
    said = lines[0] if lines else ""
    return said[:300] if cause else f"{type(error).__name__}: {said}"[:300]
