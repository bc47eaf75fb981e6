"""The certificate of an exported file: what was compared with what, and how it came out."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import nn

from bgm.errors import BadInput
from bgm.export.certify.check import Report, check, coverage
from bgm.export.certify.compare import Run
from bgm.export.certify.grid import Grid, grid_of
from bgm.export.certify.steered_error import twin
from bgm.export.certify.test_pictures import PLAIN, STEERED, smooth
from bgm.export.certify.timing import affordable, timed
from bgm.export.markdown import readable
from bgm.export.prepare import refiner_of
from bgm.export.shapes import Shape
from bgm.export.tolerances import Allowed

if TYPE_CHECKING:
    from bgm.export.target import Target

PACKAGES = ("bgm", "torch", "torchvision", "numpy", "onnx", "onnxruntime", "onnxscript", "openvino")
JUST_NOISE = 0.05  # MAD x1e3 that a matte may always be worse by: 1/80 of an 8-bit step


class Judge(Protocol):
    """A small matting set: call it with a network or an opened file.

    Returns means of named metrics, "mad" (x1e3) among them; `name` says what it is.
    """

    name: str

    def __call__(self, run: Run) -> dict[str, float]: ...


@dataclass(frozen=True)
class Exam:
    """What an exported file has to pass.

    grid: a name of `bgm.export.certify.grid.GRIDS`. judge: a matting set, None to leave it out.
    """

    grid: str = "default"
    judge: Judge | None = None


@dataclass(frozen=True)
class Certificate:
    """`facts` is what NAME.certificate.json holds; printed, it is NAME.certificate.md."""

    facts: dict[str, Any]
    report: Report

    @property
    def largest(self) -> float:
        """The largest absolute error of any output in any trial."""
        return self.report.largest

    @property
    def refined(self) -> int:
        """Patches refined in all trials together."""
        return self.report.refined

    def __str__(self) -> str:
        return readable(self.facts)

    def write(self, model: Path) -> list[Path]:
        """Write both forms beside model, under its name; returns their paths."""
        paths = [model.with_name(f"{model.name}.certificate.{kind}") for kind in ("json", "md")]
        paths[0].write_text(as_json(self.facts), encoding="utf-8")
        paths[1].write_text(f"{self}\n", encoding="utf-8")
        return paths


def certify(
    target: "Target", net: nn.Module, model: Path, about: dict[str, str], exam: Exam
) -> Certificate:
    """Compare the file that target wrote, and a twin that it writes now, with net; judge; measure.

    net: the truth in eager PyTorch. about: what the file says about itself. A folder "twin" appears
    beside model. Raises BadInput at the first limit that is crossed.
    """
    name = "small" if target.runtime == "reference" else exam.grid
    grid = grid_of(name)
    if target.shape is not None:
        name, grid = "one shape", Grid(lambda _: [target.shape], target.shape)
    run = target.open(model)
    about = about | getattr(run, "metadata", {})  # what the file itself says, its opset too
    report = compared(target, net, run, model, about, grid.shapes(net))
    covered = coverage(net, report)
    operators = target.operators(model)
    if refused := sorted(target.refused & operators.keys()):
        raise BadInput(f"{target.name} refuses {', '.join(refused)}, which the file contains")
    facts = {
        "files": [file_facts(path) for path in target.files(model)],
        "runtime": target.runtime,
        "about": about,
        "made": made(),
        "grid": name,
        "limits": target.limits._asdict(),
        "worst": {n: {"largest": a, "mean": b} for n, (a, b) in report.worst().items()},
        "coverage": covered,
        "matting": matting(net, run, exam.judge, target.limits),
        "operators": operators,
        "operators_refused_by_target": sorted(target.refused),
        "nodes_by_provider": target.placement(model, *smooth(*min(grid.shapes(net)))),
        "time": timed(net, run, affordable(report, grid.timed), smooth),
        "trials": [asdict(t) for t in report.trials],
    }
    return Certificate(facts, report)


def compared(
    target: "Target",
    net: nn.Module,
    run: Run,
    model: Path,
    about: dict[str, str],
    shapes: list[Shape],
) -> Report:
    """Trials of the file on plain pictures, then of its twin on steered errors.

    A base network has no refiner, and nothing that an error could steer.
    """
    report = check(net, run, target.limits, shapes, PLAIN)
    if refiner_of(net) is None:
        return report
    steered, path = twin(net), model.parent / "twin" / model.name
    path.parent.mkdir()
    target.write(target.prepare(steered), path, about)
    limits = target.limits._replace(mean=target.limits.steered)
    second = check(steered, target.open(path), limits, shapes, STEERED)
    return Report(target.limits, report.trials + second.trials)


def matting(net: nn.Module, run: Run, judge: Judge | None, limits: Allowed) -> dict[str, Any]:
    """Metrics of the network and of the file on the matting set; {} without one.

    Raises BadInput when the file's MAD is worse than the network's by more than limits.mad_rise.
    """
    if judge is None:
        return {}
    net_scores, file_scores = judge(net), judge(run)
    was, is_now = net_scores["mad"], file_scores["mad"]
    if not is_now <= was * (1 + limits.mad_rise) + JUST_NOISE:
        raise BadInput(
            f"the exported file mattes worse than its network: MAD x1e3 {is_now:.3f} on "
            f"{judge.name}, the network {was:.3f}; allowed is {limits.mad_rise:.0%} more"
        )
    return {
        "set": judge.name,
        "network": net_scores,
        "file": file_scores,
        "difference": {name: file_scores[name] - net_scores[name] for name in net_scores},
    }


def file_facts(path: Path) -> dict[str, Any]:
    """Name, size and hash of a written file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest}


def made() -> dict[str, Any]:
    """When, and with which packages."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "packages": found}


def as_json(facts: dict[str, Any]) -> str:
    """One line for each fact and for each trial: a certificate is read by people as well."""
    lines = []
    for name, value in facts.items():
        text = json.dumps(value)
        if name == "trials":
            text = "[\n  " + ",\n  ".join(json.dumps(t) for t in value) + "\n ]"
        lines.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
