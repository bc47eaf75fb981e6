"""Proof that an exported file computes what its network computes in eager PyTorch."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.prepare import isolated, refiner_of
from bgm.ops import composite, resize
from bgm.types import Coarse, Refined

Run = Callable[[Tensor, Tensor], Coarse | Refined]

BATCHES = (1, 2, 3)
SIZES = ((64, 96), (132, 68))  # and a wide one: `sizes`
WIDE = 1056  # half-precision coordinates go wrong beyond 1024 + 4
ROUNDING = 1e-6  # of the bilinear resize of err, on top of the measured difference of err_sm


@dataclass(frozen=True)
class Trial:
    """One batch of one size through network and file; errors are absolute, by output."""

    batch: int
    height: int
    width: int
    largest: dict[str, float]
    mean: dict[str, float]
    refined: int = 0  # patches that the file refined
    ties: int = 0  # patches in which file and network chose differently, all ties up to rounding


@dataclass(frozen=True)
class Report:
    """All trials of one file; `as_dict` is plain enough for JSON."""

    tolerance: float
    trials: list[Trial] = field(default_factory=list)

    @property
    def largest(self) -> float:
        """The largest absolute error of any output in any trial."""
        return max(error for trial in self.trials for error in trial.largest.values())

    @property
    def refined(self) -> int:
        """Patches refined in all trials together."""
        return sum(trial.refined for trial in self.trials)

    def as_dict(self) -> dict:
        return asdict(self) | {"largest": self.largest, "refined": self.refined}

    def __str__(self) -> str:
        lines = ["batch    size       largest error, by output"]
        for t in self.trials:
            errors = "  ".join(f"{name} {error:.1e}" for name, error in t.largest.items())
            if t.refined:
                errors += f"  refined {t.refined}" + (f", ties {t.ties}" if t.ties else "")
            lines.append(f"{t.batch:5} {t.width:5}x{t.height:<5} {errors}")
        return "\n".join([*lines, f"largest {self.largest:.1e}, allowed {self.tolerance:.1e}"])


@torch.no_grad()
def check(net: nn.Module, run: Run, tolerance: float = 1e-4) -> Report:
    """Compare run with net at batches 1, 2, 3 and three sizes; net stays as it is.

    net: the network with its own patch methods, the truth. run: the exported file (`bgm.export.
    open_onnx` and its like). Raises BadInput when any output differs by more than tolerance, when
    the file refines patches that the selection would not choose, or when no patch was refined at
    all, because then nothing has been proved about the refiner.
    """
    net = isolated(net)
    report = Report(tolerance)
    for height, width in sizes(net):
        for batch in BATCHES:
            src, bgr = pictures(batch, height, width)
            trial = compare(net, src, bgr, run(src, bgr), tolerance)
            report.trials.append(trial)
    if refiner_of(net) is not None and report.refined == 0:
        raise BadInput(
            "no patch was refined in any check, so nothing proves the refiner of the exported file:"
            " expected at least 1 (is the threshold above every predicted error?)"
        )
    return report


def compare(net: nn.Module, src: Tensor, bgr: Tensor, found: Any, tolerance: float) -> Trial:
    """One trial; the network refines the very patches that the file refined, once these are right.

    Two right programs may choose differently among patches whose err ties up to rounding. A choice
    is right when the selection itself makes it on some err within rounding of the network's.
    """
    expected = net(src, bgr)
    batch, _, height, width = src.shape
    where = f"at batch {batch}, {width}x{height}"
    for name, a, b in zip(expected._fields, expected, found, strict=True):
        if a.shape != b.shape:
            raise BadInput(
                f"the exported file's {name} is {list(b.shape)} {where}, expected {list(a.shape)}"
            )
    ties = refined = 0
    if isinstance(expected, Refined):
        refined, ties = int(found.ref_sm.sum()), int((found.ref_sm != expected.ref_sm).sum())
        if ties:
            explain(net, expected, found, where)
            expected = refining(net, found.ref_sm)(src, bgr)
    off = {n: (a - b).abs() for n, a, b in zip(expected._fields, expected, found, strict=True)}
    largest = {name: x.max().item() for name, x in off.items()}
    for name, error in largest.items():
        if not error <= tolerance:  # NaN as well
            raise BadInput(
                f"the exported file's {name} is off by {error:.1e} {where}, allowed {tolerance:.1e}"
            )
    mean = {name: x.mean().item() for name, x in off.items()}
    return Trial(batch, height, width, largest, mean, refined, ties)


def explain(net: nn.Module, expected: Refined, found: Refined, where: str) -> None:
    """Raise BadInput unless the file's choice of patches is the selection's own up to rounding."""
    slack = (expected.err_sm - found.err_sm).abs().max() + ROUNDING
    err = resize(expected.err_sm, list(expected.ref_sm.shape[2:]))
    # Selections are monotone: if any err within slack gives this choice, then this one does.
    patches = refiner_of(net).select(err + slack * (2 * found.ref_sm - 1))
    wrong = int((patches.ref != found.ref_sm).sum())
    if wrong:
        raise BadInput(
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


def sizes(net: nn.Module) -> list[tuple[int, int]]:
    """Heights and widths to check: small ones, and a wide one with more patches than are chosen."""
    select = getattr(refiner_of(net), "select", None)
    chosen = getattr(select, "sample_pixels", 0)
    rows = max(20, -(-21 * chosen // (20 * 4 * WIDE)))  # 5 % more patches than the selection takes
    return [*SIZES, (4 * rows, WIDE)]


def pictures(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """src and bgr (B, 3, H, W): smooth backgrounds, on them blobs of noise, the last all noise."""
    generator = torch.Generator().manual_seed(batch * 1_000_003 + height * 1_009 + width)

    def noise(channels: int, cell: int) -> Tensor:
        size = [height // cell + 2, width // cell + 2]
        x = torch.rand([batch, channels, *size], generator=generator)
        return F.interpolate(x, size=[height, width], mode="bicubic").clamp(0, 1)

    bgr = noise(3, 16)
    pha = ((noise(1, 12) - 0.5) * 8 + 0.5).clamp(0, 1)
    src = composite(0.5 * noise(3, 6) + 0.5 * noise(3, 1), pha, bgr)
    if batch > 1:
        src = torch.cat([src[:-1], noise(3, 1)[-1:]])
    return src, bgr
