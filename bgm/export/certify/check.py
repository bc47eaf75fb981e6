"""Proof that an exported file computes what its network computes in eager PyTorch."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

import torch
from torch import nn

from bgm.errors import BadInput
from bgm.export.certify.compare import Run, Trial, compare
from bgm.export.certify.grid import default, sample_pixels
from bgm.export.certify.test_pictures import PLAIN, Content
from bgm.export.prepare import isolated, refiner_of
from bgm.export.shapes import Shape
from bgm.export.tolerances import PRECISIONS, Allowed


@dataclass(frozen=True)
class Report:
    """All trials of one file; `as_dict` is plain enough for JSON."""

    limits: Allowed
    trials: list[Trial] = field(default_factory=list)

    @property
    def largest(self) -> float:
        """The largest absolute error of any output in any trial."""
        return max(error for trial in self.trials for error in trial.largest.values())

    @property
    def refined(self) -> int:
        """Patches refined in all trials together."""
        return sum(trial.refined for trial in self.trials)

    def worst(self) -> dict[str, tuple[float, float]]:
        """The largest error and the largest mean error in any trial, by output."""
        names = self.trials[0].largest
        return {
            n: (max(t.largest[n] for t in self.trials), max(t.mean[n] for t in self.trials))
            for n in names
        }

    def as_dict(self) -> dict:
        trials = [asdict(t) for t in self.trials]
        return {"largest": self.largest, "refined": self.refined, "trials": trials}

    def __str__(self) -> str:
        lines = [f"{n}: {a:.1e}, mean {b:.1e}" for n, (a, b) in self.worst().items()]
        batches = sorted({t.batch for t in self.trials})
        sizes = {(t.height, t.width) for t in self.trials}
        return "\n".join(
            [
                f"{len(self.trials)} trials: batches {batches}, {len(sizes)} sizes, "
                f"{self.refined} patches refined",
                *lines,
                f"largest {self.largest:.1e}, allowed {self.limits.largest:.1e}",
            ]
        )


@torch.no_grad()
def check(
    net: nn.Module,
    run: Run,
    limits: Allowed = PRECISIONS["float32"],
    shapes: Iterable[Shape] | None = None,
    contents: dict[str, Content] = PLAIN,
) -> Report:
    """Compare run with net on every content in every shape; net stays as it is.

    net: the network with its own patch methods, the truth. run: the exported file (`bgm.export.
    open_onnx` and its like). shapes: the default grid if None. Raises BadInput as `compare` does.
    """
    net = isolated(net)
    grid = list(default(net) if shapes is None else shapes)
    return Report(
        limits,
        [
            compare(net, *draw(*shape), run, limits, content)
            for content, draw in contents.items()
            for shape in grid
        ],
    )


def coverage(net: nn.Module, report: Report) -> dict[str, int]:
    """In how many pictures the file refined no, some and all patches; {} for a base network.

    "k above the number of patches" counts trials in which a sampling selection wanted more than
    there are. Raises BadInput when no patch was refined at all: nothing is proved then.
    """
    if refiner_of(net) is None:
        return {}
    if report.refined == 0:
        raise BadInput(
            "no patch was refined in any check, so nothing proves the refiner of the exported file:"
            " expected at least 1 (is the threshold above every predicted error?)"
        )
    pictures = [(n, trial.patches) for trial in report.trials for n in trial.chosen]
    wanted = sample_pixels(net) // 16
    return {
        "patches refined": report.refined,
        "pictures with no patch refined": sum(n == 0 for n, _ in pictures),
        "pictures with some patches refined": sum(0 < n < of for n, of in pictures),
        "pictures with all patches refined": sum(n == of for n, of in pictures),
        "trials with k above the number of patches": sum(t.patches < wanted for t in report.trials),
    }
