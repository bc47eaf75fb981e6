"""Compare an exported file with its network on many pictures, batches and sizes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from bgm.errors import BadInput
from bgm.export.certify.compare import Comparison, Run, Truth, compare
from bgm.export.certify.grid import default, sample_pixels
from bgm.export.certify.test_pictures import PLAIN, Draw
from bgm.export.shapes import Shape
from bgm.export.tolerances import PRECISIONS, Tolerance
from bgm.model.patches import refiner_of


@dataclass(frozen=True)
class Report:
    """All comparisons of one file with its network."""

    limits: Tolerance
    comparisons: list[Comparison]

    @property
    def largest(self) -> float:
        """The largest absolute error of any output."""
        return max(error for x in self.comparisons for error in x.largest.values())

    @property
    def eager(self) -> float:
        """The largest absolute error that rounding costs the network; 0 where none was needed."""
        return max(error for x in self.comparisons for error in x.eager.values())

    @property
    def refined(self) -> int:
        """Patches that the file refined, all together."""
        return sum(x.refined for x in self.comparisons)

    def worst(self) -> dict[str, tuple[float, float]]:
        """The largest error and the largest mean error, by output."""
        return {
            name: (
                max(x.largest[name] for x in self.comparisons),
                max(x.mean[name] for x in self.comparisons),
            )
            for name in self.comparisons[0].largest
        }

    def __str__(self) -> str:
        whose = "the network with float16 weights" if self.limits.half else "PyTorch in float32"
        eager = f", of {whose} {self.eager:.1e}" if self.eager else ""
        return (
            f"{len(self.comparisons)} comparisons, {self.refined} patches refined, largest error "
            f"{self.largest:.1e}{eager}"
        )


@torch.no_grad()
def check(
    net: nn.Module,
    run: Run,
    limits: Tolerance = PRECISIONS["float32"],
    shapes: Iterable[Shape] | None = None,
    pictures: Mapping[str, Draw] = PLAIN,
) -> Report:
    """Compare run with net on all pictures in all shapes; net stays as it is.

    net: the network with its own patch methods, the truth. run: the exported file, opened. shapes:
    the default grid if None. Raises BadInput as `compare` does.
    """
    truth = Truth(net)
    grid = list(default(net) if shapes is None else shapes)
    return Report(
        limits,
        [
            compare(truth, *draw(*shape), run, limits, name)
            for name, draw in pictures.items()
            for shape in grid
        ],
    )


def coverage(net: nn.Module, report: Report) -> dict[str, int]:
    """In how many pictures the file refined no, some and all patches; {} for a base network.

    "k above the number of patches" counts batches in which a sampling selection wanted more than
    there are. Raises BadInput when no patch was refined at all: nothing is proved then.
    """
    if refiner_of(net) is None:
        return {}
    if report.refined == 0:
        raise BadInput(
            "no patch was refined in any check, so nothing proves the refiner of the exported file:"
            " expected at least 1 (is the threshold above every predicted error?)"
        )
    refined = [(n, x.patches) for x in report.comparisons for n in x.refined_by_picture]
    wanted = sample_pixels(net) // 16
    return {
        "patches refined": report.refined,
        "pictures with no patch refined": sum(n == 0 for n, _ in refined),
        "pictures with some patches refined": sum(0 < n < of for n, of in refined),
        "pictures with all patches refined": sum(n == of for n, of in refined),
        "batches with k above the number of patches": sum(
            x.patches < wanted for x in report.comparisons
        ),
    }
