"""One batch through network and file: errors by output, and whether the patches are right."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from bgm.errors import BadInput, first_line
from bgm.export.prepare import copy_to_cpu
from bgm.export.tolerances import Tolerance
from bgm.model.optimize import folded
from bgm.model.patches import Patches, refiner_of
from bgm.ops import resize
from bgm.types import Coarse, Refined

Run = Callable[[Tensor, Tensor], Coarse | Refined]

RESIZE_ROUNDING = 1e-6  # of the bilinear resize of err, on top of the difference of err_sm


class Wrong(BadInput):
    """The file runs, and computes something else than its network."""


@dataclass(frozen=True)
class Comparison:
    """One batch of one size through network and file.

    Errors are absolute, by output, on the patches that the file chose: from the network in eager
    float32 where the fixed part of the limits allows them, else from float64, which takes thrice as
    long; then `Tolerance.rounding` allows more where rounding costs the network itself so much.
    """

    pictures: str
    batch: int
    height: int
    width: int
    largest: dict[str, float]
    mean: dict[str, float]
    eager: dict[str, float]  # largest errors that rounding costs the network; 0 where not needed
    refined_by_picture: list[int] = field(default_factory=list)  # patches that the file refined
    ties: int = 0  # patches in which file and network chose differently, all ties up to rounding
    seconds: float = 0.0  # in the file

    @property
    def refined(self) -> int:
        """Patches that the file refined."""
        return sum(self.refined_by_picture)

    @property
    def patches(self) -> int:
        """Patches in one picture."""
        return self.height * self.width // 16


class Truth:
    """A network that a file is compared with: in eager float32, and exactly, in float64."""

    def __init__(self, net: nn.Module):
        self.net = copy_to_cpu(net)
        self.single, self.double = copy_to_cpu(net), copy_to_cpu(net).double()
        self.half = folded(copy_to_cpu(net)).half().double()  # folded as exported files are

    def in_float32(self, src: Tensor, bgr: Tensor, ref: Tensor) -> Any:
        """Outputs in float32, refining exactly the patches of ref."""
        self.single.refiner.select = FixedChoice(ref)  # type: ignore[method-assign]
        return self.single(src, bgr)

    def in_float64(self, src: Tensor, bgr: Tensor, ref: Tensor | None) -> Any:
        """Outputs in float64, refining exactly the patches of ref; None for a base network."""
        return exactly(self.double, src, bgr, ref)

    def with_half_weights(self, src: Tensor, bgr: Tensor, ref: Tensor | None) -> Any:
        """The same, of the network with weights rounded to float16."""
        return exactly(self.half, src, bgr, ref)


def exactly(net: Any, src: Tensor, bgr: Tensor, ref: Tensor | None) -> Any:
    if ref is not None:
        net.refiner.select = FixedChoice(ref.double())
    return net(src.double(), bgr.double())


class FixedChoice(nn.Module):
    """A selection that was made before: refine where ref (B, 1, H/4, W/4) is 1."""

    def __init__(self, ref: Tensor):
        super().__init__()
        self.ref = ref

    def forward(self, err: Tensor) -> Patches:
        index = self.ref[:, 0].nonzero()
        return Patches(index, torch.ones(len(index), dtype=torch.bool), self.ref)


def compare(
    truth: Truth, src: Tensor, bgr: Tensor, run: Run, limits: Tolerance, pictures: str = "smooth"
) -> Comparison:
    """Compare one batch; the network refines the very patches that the file refined, if right.

    Two right programs may choose differently among patches whose err ties up to rounding. A choice
    is right when the selection itself makes it on some err within rounding of the network's.
    Raises BadInput when the file fails, and of its kind Wrong when it differs by more than the
    limits or chooses wrongly.
    """
    batch, _, height, width = src.shape
    where = f"at batch {batch}, {width}x{height}, {pictures} pictures"
    expected = truth.net(src, bgr)
    found, seconds = run_file(run, src, bgr, where)
    for name, a, b in zip(expected._fields, expected, found, strict=True):
        if a.shape != b.shape:
            raise Wrong(
                f"the exported file's {name} is {list(b.shape)} {where}, expected {list(a.shape)}"
            )
    refined, ties, ref = [], 0, None
    if isinstance(expected, Refined):
        ref = found.ref_sm
        refined = [int(x) for x in ref.flatten(1).sum(1)]
        ties = int((ref != expected.ref_sm).sum())
        if ties:
            check_ties(refiner_of(truth.net).select, expected, found, where)
    single = truth.in_float32(src, bgr, ref) if ties and ref is not None else expected
    largest, mean = errors(found, single)
    eager, eager_mean = dict.fromkeys(largest, 0.0), dict.fromkeys(mean, 0.0)
    if any(largest[n] > limits.largest or mean[n] > limits.mean for n in largest):
        # Either may be the one that rounds. Whatever passed above would pass here as well.
        double = truth.in_float64(src, bgr, ref)
        rounded = truth.with_half_weights(src, bgr, ref) if limits.half else single
        (largest, mean), (eager, eager_mean) = errors(found, double), errors(rounded, double)
    for name in largest:
        check_error(name, "", largest[name], limits.largest + limits.rounding * eager[name], where)
        at_most = limits.mean + limits.rounding * eager_mean[name]
        check_error(name, " in the mean", mean[name], at_most, where)
    return Comparison(pictures, batch, height, width, largest, mean, eager, refined, ties, seconds)


def run_file(run: Run, src: Tensor, bgr: Tensor, where: str) -> tuple[Any, float]:
    """The file's outputs and its seconds; whatever a runtime raises is BadInput."""
    start = perf_counter()
    try:
        outputs = run(src, bgr)
    except Exception as error:  # runtimes share no type of error
        raise BadInput(f"the exported file fails {where}: {first_line(error)}") from error
    return outputs, perf_counter() - start


def errors(outputs: Any, exact: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Largest and mean absolute error of each output."""
    off = {n: (a - b).abs() for n, a, b in zip(exact._fields, outputs, exact, strict=True)}
    return {n: x.max().item() for n, x in off.items()}, {n: x.mean().item() for n, x in off.items()}


def check_error(name: str, kind: str, error: float, at_most: float, where: str) -> None:
    """Raise Wrong for an error above its limit, and for NaN."""
    if not error <= at_most:  # NaN as well
        raise Wrong(
            f"the exported file's {name} is off by {error:.1e}{kind} {where}, allowed {at_most:.1e}"
        )


def check_ties(select: nn.Module, expected: Refined, found: Refined, where: str) -> None:
    """Raise Wrong unless the file's choice of patches is the selection's own up to rounding."""
    slack = (expected.err_sm - found.err_sm).abs().max() + RESIZE_ROUNDING
    err = resize(expected.err_sm, list(expected.ref_sm.shape[2:]))
    # Selections are monotone: if any err within slack gives this choice, then this one does.
    patches = select(err + slack * (2 * found.ref_sm - 1))
    wrong = int((patches.ref != found.ref_sm).sum())
    if wrong:
        raise Wrong(
            f"the exported file chose {int(found.ref_sm.sum())} patches {where}, expected "
            f"{int(expected.ref_sm.sum())}; {wrong} are not explained by ties within {slack:.1e}"
        )
