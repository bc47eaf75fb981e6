"""One batch through network and file: errors by output, and whether the choice was right."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.prepare import isolated, refiner_of
from bgm.export.tolerances import Allowed
from bgm.ops import resize
from bgm.types import Coarse, Refined

Run = Callable[[Tensor, Tensor], Coarse | Refined]

ROUNDING = 1e-6  # of the bilinear resize of err, on top of the measured difference of err_sm


class Wrong(BadInput):
    """The file runs, and computes something else than its network."""


@dataclass(frozen=True)
class Trial:
    """One batch of one size through network and file; errors are absolute, by output."""

    content: str
    batch: int
    height: int
    width: int
    largest: dict[str, float]
    mean: dict[str, float]
    chosen: list[int] = field(default_factory=list)  # patches that the file refined, by picture
    ties: int = 0  # patches in which file and network chose differently, all ties up to rounding
    seconds: float = 0.0  # in the file

    @property
    def refined(self) -> int:
        """Patches that the file refined."""
        return sum(self.chosen)

    @property
    def patches(self) -> int:
        """Patches in one picture."""
        return self.height * self.width // 16


def compare(
    net: nn.Module, src: Tensor, bgr: Tensor, run: Run, limits: Allowed, content: str = "smooth"
) -> Trial:
    """One trial; the network refines the very patches that the file refined, once these are right.

    Two right programs may choose differently among patches whose err ties up to rounding. A choice
    is right when the selection itself makes it on some err within rounding of the network's.
    Raises BadInput when the file fails, and of its kind Wrong when it differs by more than the
    limits or chooses wrongly.
    """
    batch, _, height, width = src.shape
    where = f"at batch {batch}, {width}x{height}, {content} pictures"
    expected = net(src, bgr)
    found, seconds = answered(run, src, bgr, where)
    for name, a, b in zip(expected._fields, expected, found, strict=True):
        if a.shape != b.shape:
            raise Wrong(
                f"the exported file's {name} is {list(b.shape)} {where}, expected {list(a.shape)}"
            )
    chosen, ties = [], 0
    if isinstance(expected, Refined):
        chosen = [int(x) for x in found.ref_sm.flatten(1).sum(1)]
        ties = int((found.ref_sm != expected.ref_sm).sum())
        if ties:
            explain(net, expected, found, where)
            expected = refining(net, found.ref_sm)(src, bgr)
    largest, mean = errors(expected, found)
    hold(limits, largest, mean, where)
    return Trial(content, batch, height, width, largest, mean, chosen, ties, seconds)


def answered(run: Run, src: Tensor, bgr: Tensor, where: str) -> tuple[Any, float]:
    """The file's answer and its seconds; whatever a runtime raises is BadInput."""
    start = perf_counter()
    try:
        found = run(src, bgr)
    except Exception as error:  # runtimes share no type of error
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(f"the exported file fails {where}: {said}") from error
    return found, perf_counter() - start


def errors(expected: Any, found: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Largest and mean absolute error of each output."""
    off = {n: (a - b).abs() for n, a, b in zip(expected._fields, expected, found, strict=True)}
    return {n: x.max().item() for n, x in off.items()}, {n: x.mean().item() for n, x in off.items()}


def hold(limits: Allowed, largest: dict[str, float], mean: dict[str, float], where: str) -> None:
    """Raise BadInput for an error above its limit, and for NaN."""
    for name, error in largest.items():
        if not error <= limits.largest:  # NaN as well
            raise Wrong(
                f"the exported file's {name} is off by {error:.1e} {where}, "
                f"allowed {limits.largest:.1e}"
            )
        if not mean[name] <= limits.mean:
            raise Wrong(
                f"the exported file's {name} is off by {mean[name]:.1e} in the mean {where}, "
                f"allowed {limits.mean:.1e}"
            )


def explain(net: nn.Module, expected: Refined, found: Refined, where: str) -> None:
    """Raise BadInput unless the file's choice of patches is the selection's own up to rounding."""
    slack = (expected.err_sm - found.err_sm).abs().max() + ROUNDING
    err = resize(expected.err_sm, list(expected.ref_sm.shape[2:]))
    # Selections are monotone: if any err within slack gives this choice, then this one does.
    patches = refiner_of(net).select(err + slack * (2 * found.ref_sm - 1))
    wrong = int((patches.ref != found.ref_sm).sum())
    if wrong:
        raise Wrong(
            f"the exported file chose {int(found.ref_sm.sum())} patches {where}, expected "
            f"{int(expected.ref_sm.sum())}; {wrong} are not explained by ties within {slack:.1e}"
        )


class Chosen(nn.Module):
    """A selection that has been made: refine where ref (B, 1, H/4, W/4) is 1."""

    def __init__(self, select: nn.Module, ref: Tensor):
        super().__init__()
        self.select, self.ref = select, ref

    def forward(self, err: Tensor) -> tuple:
        index = self.ref[:, 0].nonzero()
        keep = torch.ones(index.shape[0], dtype=torch.bool, device=err.device)
        return self.select(err)._replace(index=index, keep=keep, ref=self.ref)


def refining(net: nn.Module, ref: Tensor) -> nn.Module:
    """A copy of net that refines exactly the patches of ref."""
    return isolated(net, Chosen(refiner_of(net).select, ref))
