"""The certificate: what was compared, how far apart it was, as JSON and as Markdown."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from bgm.errors import BadInput
from bgm.export.certify.bytes_as_certified import certificate_of
from bgm.export.certify.check import Report, check, coverage
from bgm.export.certify.compare import Run
from bgm.export.certify.grid import ShapeGrid, grid_of
from bgm.export.certify.test_pictures import PLAIN, STEERED, smooth, steer_error
from bgm.export.certify.timing import affordable_shape, measure_time
from bgm.export.shapes import Shape
from bgm.export.target import Target
from bgm.export.tolerances import Tolerance
from bgm.files import sha256
from bgm.model.patches import refiner_of
from bgm.run_info import versions
from bgm.templates import fill_template


def as_markdown(facts: dict[str, Any]) -> str:
    """The certificate's facts as Markdown; a section without facts is left out."""
    comparisons, names = facts["comparisons"], list(facts["worst"])
    errors = []
    for kind in dict.fromkeys(x["pictures"] for x in comparisons):
        for title, which in ((kind, "largest"), (f"PyTorch, {kind}", "eager")):
            found = [x[which] for x in comparisons if x["pictures"] == kind]
            worst = [max(x[n] for x in found) for n in names]
            if which == "largest" or any(worst):  # PyTorch's are 0 where float64 was not needed
                errors.append([title, *(f"{x:.1e}" for x in worst)])
    errors.append(["mean, worst batch", *(f"{facts['worst'][n]['mean']:.1e}" for n in names)])
    mattes = [
        [name, f"{of_net:.4f}", f"{of_file:.4f}", f"{of_file - of_net:+.1e}"]
        for name, of_net in facts["matting"].get("network", {}).items()
        for of_file in [facts["matting"]["file"][name]]
    ]
    sizes = sorted({(x["width"], x["height"]) for x in comparisons})
    return fill_template(
        Path(__file__).with_name("certificate.md"),
        **facts,
        errors=errors,
        mattes=mattes,
        batches=sorted({x["batch"] for x in comparisons}),
        sizes=[f"{width}x{height}" for width, height in sizes],
        ties=sum(x["ties"] for x in comparisons),
    )


if TYPE_CHECKING:  # imports the data room, which takes a second
    from bgm.export.certify.matting_set import MattingSet

PACKAGES = ("torch", "torchvision", "numpy")
MAD_NOISE = 0.05  # MAD x1e3 that a matte may always be worse by: 1/80 of an 8-bit step


@dataclass(frozen=True)
class CertifyOptions:
    """What an exported file has to pass.

    grid: a name of `bgm.export.certify.grid.GRIDS`. matting_set: None leaves that test out.
    """

    grid: str = "default"
    matting_set: "MattingSet | None" = None

    def check(self, precision: str) -> None:
        """Raise BadInput for an unknown grid, and where nothing would judge a file of precision."""
        grid_of(self.grid)
        if precision == "int8" and self.matting_set is None:
            raise BadInput("certify.scenes=0 leaves nothing that judges precision=int8: its mattes")


@dataclass(frozen=True)
class Certificate:
    """`facts` is what NAME.certificate.json holds; printed, it is NAME.certificate.md."""

    facts: dict[str, Any]
    report: Report

    def __str__(self) -> str:
        return as_markdown(self.facts)

    def write(self, model: Path) -> None:
        """Write both forms beside model, under its name."""
        path = certificate_of(model)
        for suffix, text in ((".json", json.dumps(self.facts, indent=1)), (".md", str(self))):
            path.with_suffix(suffix).write_text(f"{text}\n", encoding="utf-8")


def certify(
    target: Target, net: nn.Module, model: Path, metadata: dict[str, str], options: CertifyOptions
) -> Certificate:
    """Compare the file that target wrote with net, score both on the matting set, measure the time.

    net: the truth in eager PyTorch. metadata: what the file was given to say about itself. A folder
    "steered" appears beside model. Raises BadInput at the first limit that is crossed.
    """
    name = "small" if target.runtime == "reference" else options.grid
    grid = grid_of(name)
    if (shape := target.shape) is not None:
        shapes = [shape]
        name, grid = "one shape", ShapeGrid(lambda _: shapes, shape)
    run, shapes = target.open(model), grid.shapes(net)
    exact = target.unquantised()
    if exact is None:
        report = compare_everywhere(target, net, run, model, metadata, shapes)
    else:  # noise is like no picture that it was calibrated with
        report = check(net, run, target.tolerance, shapes, {"smooth": smooth})
    operators = target.operators(model)
    if unsupported := sorted(target.unsupported_ops & operators.keys()):
        found = ", ".join(unsupported)
        raise BadInput(f"{target.name} does not support {found}, which the file contains")
    shape = affordable_shape(report, grid.timed)
    facts = {
        "files": [
            {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)}
            for path in target.files(model)
        ],
        "runtime": target.runtime,
        "metadata": metadata | run.metadata,  # what the file itself says, its opset too
        "environment": environment(target.packages),
        "grid": name,
        "limits": target.tolerance._asdict(),
        "worst": {n: {"largest": a, "mean": b} for n, (a, b) in report.worst().items()},
        "coverage": coverage(net, report),
        "unquantised": {} if exact is None else prove_graph(exact, net, model, metadata, shapes),
        "matting": compare_mattes(net, run, options.matting_set, target.tolerance),
        "operators": operators,
        "unsupported_operators": sorted(target.unsupported_ops),
        "time": measure_time(net, run, shape, smooth),
        "comparisons": [asdict(comparison) for comparison in report.comparisons],
    }
    return Certificate(facts, report)


def prove_graph(
    exact: Target, net: nn.Module, model: Path, metadata: dict[str, str], shapes: list[Shape]
) -> dict[str, Any]:
    """Compare with net, as strictly as float32 files are, the graph that model was rounded from.

    It is written anew beside model, in a folder "float32".
    """
    path = model.parent / "float32" / model.name
    path.parent.mkdir()
    exact.write(exact.prepare(net), path, metadata)
    report = compare_everywhere(exact, net, exact.open(path), path, metadata, shapes)
    return {"comparisons": len(report.comparisons), "largest": report.largest}


def compare_everywhere(
    target: Target,
    net: nn.Module,
    run: Run,
    model: Path,
    metadata: dict[str, str],
    shapes: list[Shape],
) -> Report:
    """Compare the file with net on plain pictures, then both with steered errors.

    The latter is a second file, written here in the same way. A base network has no refiner, and
    nothing that an error could steer.
    """
    report = check(net, run, target.tolerance, shapes, PLAIN)
    if refiner_of(net) is None:
        return report
    steered, path = steer_error(net), model.parent / "steered" / model.name
    path.parent.mkdir()
    target.write(target.prepare(steered), path, metadata)
    limits = target.tolerance._replace(mean=target.tolerance.steered)
    second = check(steered, target.open(path), limits, shapes, STEERED)
    return Report(target.tolerance, report.comparisons + second.comparisons)


def compare_mattes(
    net: nn.Module, run: Run, matting_set: "MattingSet | None", limits: Tolerance
) -> dict[str, Any]:
    """Metrics of the network and of the file on the matting set; {} without one.

    Raises BadInput when the file's MAD is worse than the network's by more than limits.mad_rise.
    """
    if matting_set is None:
        return {}
    of_net, of_file = matting_set(net), matting_set(run)
    if not of_file["mad"] <= of_net["mad"] * (1 + limits.mad_rise) + MAD_NOISE:
        raise BadInput(
            f"the file mattes worse than its network: MAD x1e3 {of_file['mad']:.3f} on "
            f"{matting_set.name}, the network {of_net['mad']:.3f}; allowed is "
            f"{limits.mad_rise:.0%} more"
        )
    difference = {name: of_file[name] - of_net[name] for name in of_net}
    return {
        "set": matting_set.name,
        "network": of_net,
        "file": of_file,
        "difference": difference,
    }


def environment(packages: Iterable[str]) -> dict[str, Any]:
    """The date, and the versions of PyTorch and of the packages named."""
    date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return {"date": date, "packages": versions((*PACKAGES, *packages))}
