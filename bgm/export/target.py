"""What all export targets share: write under another name, prove, and only then rename."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.certify.certificate import Certificate, Exam, certify
from bgm.export.metadata import described
from bgm.export.prepare import isolated, prepared, refiner_of
from bgm.export.runtime import Exported
from bgm.export.shapes import fixed_shape
from bgm.export.tolerances import PRECISIONS, Allowed, known_precision


class Target:
    """A file format with the patch methods that suit it; subclasses write it and open it.

    crop, replace: modules of `bgm.model.patches`, None keeps the network's own. select: another
    selection than the network's, None keeps that. part: "base" writes the base network alone,
    "refine" insists on a refined one, None takes what there is. precision: one of `precisions`.
    shape: the one [batch, height, width] that the file takes, None for every one. tolerance:
    largest absolute difference that any output may have from the network in eager PyTorch with its
    own crop and replace; None takes the precision's, see `PRECISIONS`. licence: of the weights,
    written into the file.

    Class attributes: name, suffix and runtime (for people); precisions that it can write; refused,
    the operators that its runtime is known to refuse. calibration: pairs of src and bgr
    (B, 3, H, W) in [0, 1], set by the script before an int8 export.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    runtime: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]] = ("float32",)
    refused: ClassVar[frozenset[str]] = frozenset()
    calibration: Iterable[tuple[Tensor, Tensor]] | None = None

    def __init__(
        self,
        crop: nn.Module | None = None,
        replace: nn.Module | None = None,
        select: nn.Module | None = None,
        part: str | None = None,
        precision: str = "float32",
        shape: Sequence[int] | None = None,
        tolerance: float | None = None,
        licence: str = "not stated",
    ):
        if part not in (None, "base", "refine"):
            raise BadInput(f"part {part} is none of base, refine")
        self.crop, self.replace, self.select, self.part = crop, replace, select, part
        self.precision = known_precision(precision, self.precisions, self.name)
        self.shape = fixed_shape(shape)
        self.tolerance = float(PRECISIONS[precision].largest if tolerance is None else tolerance)
        self.mean_tolerance = PRECISIONS[precision].mean
        self.licence = licence

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights that `write` takes and of the pictures that go in and come out."""
        return torch.float16 if self.precision == "float16" else torch.float32

    def write(self, net: nn.Module, path: Path, about: dict[str, str]) -> None:
        """Write a prepared network and what is said about it to path."""
        raise NotImplementedError

    def open(self, path: Path) -> Exported:
        """Open what `write` wrote, whatever its name, in the runtime that it is meant for."""
        raise NotImplementedError

    def operators(self, path: Path) -> dict[str, int]:
        """How often each operator occurs in the file; empty where a format does not tell."""
        return {}

    def files(self, path: Path) -> list[Path]:
        """Every file that `write` makes for path, path itself first."""
        return [path]

    def placement(self, path: Path, src: Tensor, bgr: Tensor) -> dict[str, dict[str, int]]:
        """Nodes by execution provider and operator; {} for runtimes without providers."""
        return {}

    def truth(self, net: nn.Module) -> nn.Module:
        """What the file must compute: a float32 copy with the part and selection asked for."""
        if self.part == "base" and refiner_of(net) is not None:
            base = isolated(net.base)
            base.trained_scale = net.backbone_scale  # no knob, only for `describe` to say
            return base
        return isolated(net, self.select)

    def prepare(self, truth: nn.Module) -> nn.Module:
        """What `write` takes: a copy of the truth with this target's patch methods, folded."""
        return prepared(truth, self.crop, self.replace, self.dtype)

    def describe(self, written: nn.Module) -> dict[str, str]:
        """What the file says about itself, apart from where its weights are from."""
        return described(written) | {
            "target": self.name,
            "precision": self.precision,
            "io": str(self.dtype).removeprefix("torch."),
            "licence": self.licence,
            "shape": "dynamic" if self.shape is None else str(list(self.shape)),
        }

    @property
    def limits(self) -> Allowed:
        """What the file may differ by from the network."""
        limits, mean = PRECISIONS[self.precision], self.mean_tolerance
        steered = max(mean, limits.steered)
        return limits._replace(largest=self.tolerance, mean=mean, steered=steered)

    def __call__(
        self,
        net: nn.Module,
        out: str | Path,
        card: dict[str, str] | None = None,
        exam: Exam | None = None,
    ) -> Certificate:
        """Export net (unchanged) to out, with its certificate beside it; all of it or nothing.

        card: more to say in the file, see `bgm.export.card`. exam: what the file has to pass, the
        default grid if None. Raises BadInput when out cannot be written or the file does not
        compute what net computes; an older out and its certificate are then untouched.
        """
        out = Path(out)
        self.refuse(net, out)
        truth = self.truth(net)
        written = self.prepare(truth)
        about = self.describe(written) | (card or {})
        with staged(out) as folder:
            model = folder / out.name
            self.write(written, model, about)
            certificate = certify(self, truth, model, about, exam or Exam())
            for path in [*self.files(model), *certificate.write(model)]:
                os.replace(path, out.parent / path.name)
        return certificate

    def refuse(self, net: nn.Module, out: Path) -> None:
        """Raise BadInput for what can be told before writing."""
        if out.is_dir():
            raise BadInput(f"{out} is a folder; expected a file name that ends in {self.suffix}")
        if not out.name.endswith(self.suffix):
            raise BadInput(f"{out} ends in {out.suffix or 'nothing'}, expected {self.suffix}")
        is_base = refiner_of(net) is None
        if is_base and self.part == "refine":
            raise BadInput("part=refine: the checkpoint holds a base network, without a refiner")
        if self.select is not None and (is_base or self.part == "base"):
            raise BadInput("select=... is for refined networks; this base network refines nothing")


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside out that is gone afterwards; an OSError inside is BadInput that names out."""
    folder = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        folder.mkdir(parents=True)  # now rather than after the minutes of work
        yield folder
    except OSError as error:
        raise BadInput(f"cannot write {out} ({error.strerror or error})") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
