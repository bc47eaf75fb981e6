"""Command lines of the export matrix: which there are, and how one of them ends."""

import itertools
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

import bgm
from bgm.errors import BadInput
from bgm.export import CertifyOptions, Target, export_and_certify
from bgm.export.certify.check import check
from bgm.export.certify.compare import Wrong
from bgm.export.certify.grid import brief
from bgm.export.certify.matting_set import MattingSet
from bgm.export.certify.steered_error import steer_error
from bgm.export.certify.test_pictures import last_error, smooth
from bgm.export.certify.timing import measure_time
from bgm.export.prepare import refiner_of
from bgm.export.runtime import first_line
from bgm.paths import conf_dir

CALIBRATION_SCENES = 4
SCORED_SCENES = 6
RUNTIME = "runtime="  # the one word that does not change what is written


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
    mad: dict[str, float] = field(default_factory=dict)  # x1e3, of network and file


def command_lines(cfg: DictConfig) -> list[list[str]]:
    """The words of every line: each group times the methods, if it has patches to refine."""
    lines = []
    for group in cfg.groups:
        methods = {} if group.get("part") == ["base"] else cfg.methods
        axes = {"export": group.export} | dict(methods) | dict(group)
        words = [[f"{key}={value}" for value in values] for key, values in axes.items()]
        lines += [" ".join(line).split() for line in itertools.product(*words)]
    return [line for line in lines if all(any(w in x for x in line) for w in cfg.only)]


class Exporter:
    """Runs command lines on one network; a file written for one runtime serves the next."""

    def __init__(self, ckpt: str):
        self.net = bgm.load(ckpt)
        self.folder = tempfile.TemporaryDirectory(prefix="bgm-matrix-")
        self.written: list[str] = []  # the words of the file in the folder
        self.failure = ""  # why it could not be written

    def run(self, words: list[str], grid: str) -> Result:
        """Compare briefly, or (grid "default") certify as export.py does."""
        start = time.perf_counter()
        numbers: dict = {}
        try:
            target = make_target(words)
            numbers = self.certify(target) if grid == "default" else self.compare(target, words)
            status, message = "works", ""
        except Exception as error:  # whatever another project's code says is the result
            status, message = "wrong" if isinstance(error, Wrong) else "refused", sentence(error)
        seconds = time.perf_counter() - start
        return Result(words, status, message, seconds=seconds, grid=grid, **numbers)

    def compare(self, target: Target, words: list[str]) -> dict:
        """Compare two batches of two sizes, on smooth pictures and with one error to refine.

        The network is one with steered errors, so that the latter can be told from the pictures.
        """
        truth, path = self.write(target, words)
        run = target.open(path)
        shapes = [target.shape] if target.shape else brief(truth)
        pictures = {"smooth": smooth, "error in the last": last_error}
        if refiner_of(truth) is None:
            pictures.popitem()
        limits = target.tolerance._replace(mean=target.tolerance.steered)
        report = check(truth, run, limits, shapes, pictures)
        return {
            "largest": report.largest,
            "pha_mean": report.worst()["pha"][1],
            "ratio": measure_time(truth, run, max(shapes), smooth)["ratio"],
        }

    def write(self, target: Target, words: list[str]) -> tuple[nn.Module, Path]:
        """The network in eager PyTorch, and as a file that may have been written before."""
        words = [w for w in words if not w.startswith(RUNTIME)]
        out = Path(self.folder.name) / f"model{target.suffix}"
        target.check_request(self.net, out)
        truth = target.truth(self.net)
        truth = truth if refiner_of(truth) is None else steer_error(truth)
        if self.written != words:
            self.written, self.failure = words, ""
            for old in Path(self.folder.name).iterdir():
                old.unlink()
            prepared = target.prepare(truth)
            try:
                target.write(prepared, out, target.describe(prepared))
            except Exception as error:
                self.failure = sentence(error)
        if self.failure:
            raise BadInput(self.failure)
        return truth, out

    def certify(self, target: Target) -> dict:
        """Certify over the whole grid and the matting set."""
        options = CertifyOptions("default", MattingSet(SCORED_SCENES, target.shape))
        with tempfile.TemporaryDirectory(prefix="bgm-matrix-") as folder:
            out = Path(folder) / f"model{target.suffix}"
            certificate = export_and_certify(target, self.net, out, options=options)
        facts = certificate.facts
        return {
            "largest": certificate.report.largest,
            "pha_mean": facts["worst"]["pha"]["mean"],
            "ratio": facts["time"]["ratio"],
            "mad": {k: facts["matting"][k]["mad"] for k in ("network", "file")},
        }


def compose_export(words: list[str]) -> DictConfig:
    """What export.py would instantiate for these words; a HydraException where they are wrong."""
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return compose("export", ["ckpt=none", *words]).export


def make_target(words: list[str]) -> Target:
    """The target that export.py would use, calibrated on procedural scenes where it must be."""
    target = instantiate(compose_export(words))
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
