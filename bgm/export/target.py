"""What an export target is: a file format that writes a network and opens it again."""

import copy
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.cells_refiner import SharedCells
from bgm.export.metadata import describe_network
from bgm.export.prepare import copy_to_cpu, prepare_network
from bgm.export.runtime import Exported
from bgm.export.shapes import fixed_shape
from bgm.export.tolerances import PRECISIONS
from bgm.export.whole_refiner import WholePicture
from bgm.model import Full, Thresholding, UnfoldCrop
from bgm.model.patches import refiner_of
from bgm.model.selection import check_scale, is_number

Runtimes = dict[str, Callable[..., Exported]]


class Target:
    """A file format, with the patch methods that suit it. It knows no certificate.

    A new one is a subclass in a file of bgm/export/targets (found there by `all_targets`) and a
    YAML in conf/export. It has the class attributes and `write`; the rest as it needs.

    name: as in export=NAME. suffix: of its files. runtimes: what runs them, by name, each a
    function of (path, device) that returns an `Exported`; the first is what the file is certified
    in. packages: modules that writing and certifying import. precisions: those that it can write.
    unsupported_ops: operators that a file must not hold, as readers of the format fail on them.
    shares_cells: whether it can write `SharedCells`, which the network then has for a crop.
    selects_later: whether who opens its files may choose another selection.

    Arguments: crop, replace: modules of `bgm.model.patches`, None keeps the network's own. select:
    another selection than the network's, None keeps that. part: "base" writes the base network
    alone, "refine" insists on a refined one, None takes what there is. shape: the one
    [batch, height, width] that the file takes, None for every one. tolerance: largest absolute
    difference that any output may have from the network; None takes the precision's, which knows
    what rounding costs, see `PRECISIONS`. licence: of the weights, written
    into the file. backbone_scale: coarse size / full size, None keeps the network's own.

    calibration: pairs of src and bgr (B, 3, H, W) in [0, 1], to be set before an int8 export.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    runtimes: ClassVar[Runtimes]
    packages: ClassVar[tuple[str, ...]] = ()
    precisions: ClassVar[tuple[str, ...]] = ("float32",)
    unsupported_ops: ClassVar[frozenset[str]] = frozenset()
    shares_cells: ClassVar[bool] = False
    selects_later: ClassVar[bool] = False
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
        licence: str | None = None,
        backbone_scale: float | None = None,
    ):
        if part not in (None, "base", "refine"):
            raise BadInput(f"part {part} is none of base, refine")
        if precision not in self.precisions:
            offered = ", ".join(self.precisions)
            raise BadInput(f"precision {precision} is not offered by {self.name}: {offered} are")
        self.crop, self.replace, self.select, self.part = crop, replace, select, part
        check_scale("backbone_scale", backbone_scale, 0.5)
        self.backbone_scale = backbone_scale
        self.precision, self.shape, self.licence = precision, fixed_shape(shape), licence
        self.runtime = next(iter(self.runtimes))
        limits = PRECISIONS[precision]
        if not (tolerance is None or (is_number(tolerance) and tolerance > 0)):
            raise BadInput(f"tolerance is {tolerance}, expected a number above 0")
        if tolerance is not None:
            limits = limits._replace(largest=float(tolerance), rounding=0.0)
        self.tolerance = limits

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights that `write` takes and of the pictures that go in and come out."""
        return torch.float16 if self.precision == "float16" else torch.float32

    def write(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        """Write a prepared network, and what the file says about itself, to path."""
        raise NotImplementedError

    def unquantised(self) -> "Target | None":
        """The target that writes the graph which this one rounds to int8; None where none is."""
        if self.precision != "int8":
            return None
        exact = copy.copy(self)
        exact.precision, exact.tolerance, exact.calibration = "float32", PRECISIONS["float32"], None
        return exact

    def open(self, path: Path) -> Exported:
        """Open what `write` wrote in the runtime that it is certified in."""
        return self.runtimes[self.runtime](path)

    def operators(self, path: Path) -> dict[str, int]:
        """How often each operator occurs in the file; empty where a format does not tell."""
        return {}

    @classmethod
    def files(cls, path: Path) -> list[Path]:
        """Every file that `write` makes for path, path itself first."""
        return [path]

    def check_request(self, net: nn.Module, out: Path) -> None:
        """Raise BadInput for what can be told before writing."""
        if out.is_dir():
            raise BadInput(f"{out} is a folder; expected a file name that ends in {self.suffix}")
        if not out.name.endswith(self.suffix):
            raise BadInput(f"{out} ends in {out.suffix or 'nothing'}, expected {self.suffix}")
        is_base = refiner_of(net) is None
        if is_base and self.part == "refine":
            raise BadInput("part=refine: the checkpoint holds a base network, without a refiner")
        if is_base and self.backbone_scale is not None:
            raise BadInput("backbone_scale=... is for refined networks; a base network has none")
        if self.select is not None and (is_base or self.part == "base"):
            raise BadInput(
                "select, sample_pixels (which a preset brings) and threshold are for refined "
                "networks; this base network refines nothing"
            )
        if isinstance(self.crop, SharedCells) and not self.shares_cells:
            raise BadInput(f"crop=cells is not for {self.name} files: unfold or gather are")
        if isinstance(self.crop, WholePicture):
            if not (is_base or isinstance(self.method(net, "select"), Full)):
                raise BadInput("crop=whole refines everywhere: it is for select=full")
            if self.selects_later:
                raise BadInput(
                    f"crop=whole is not for {self.name} files, whose selection can be changed when"
                    " they are opened: unfold or cells are"
                )
        select = self.method(net, "select")
        if self.precision == "int8" and isinstance(select, Full | Thresholding):
            # Of drawn scenes MAD x1e3 went from 24 to 200 (OpenVINO) and 347, with 23 for sampling.
            raise BadInput(
                "precision=int8 is for select=sampling: its refiner spoils what was right where it"
                " refines much; take precision=int8_weights, a file as small"
            )
        if self.precision == "int8" and self.calibration is None:
            raise BadInput(
                "precision=int8 needs pictures to calibrate with: name a data=... config"
            )
        if self.precision != "int8" and self.calibration is not None:
            raise BadInput(f"data=... calibrates precision=int8, found {self.precision}")

    def check_static(self, net: nn.Module) -> None:
        """Raise BadInput unless every shape inside is known when the file is written."""
        if self.shape is None:
            raise BadInput(f"export={self.name} needs a fixed shape=[batch, height, width]")
        if isinstance(self.method(net, "select"), Thresholding):
            raise BadInput(
                f"export={self.name}: thresholding refines a number of patches that depends on the"
                " picture; use select=sampling, select=full or part=base"
            )

    def refiner(self, net: nn.Module) -> nn.Module | None:
        """The refiner that will be in the file; None for a base network or part=base."""
        return None if self.part == "base" else refiner_of(net)

    def method(self, net: nn.Module, name: str) -> nn.Module | None:
        """The crop, replace or select that will be in the file; None without a refiner."""
        refiner = self.refiner(net)
        if refiner is None:
            return None
        default = UnfoldCrop() if name == "crop" else None  # as `prepare_network` has it
        return getattr(self, name) or getattr(refiner, name) or default

    def truth(self, net: nn.Module) -> nn.Module:
        """What the file must compute: a float32 copy with the part and selection asked for."""
        if refiner_of(net) is not None and self.backbone_scale is not None:
            net = net.at_scale(self.backbone_scale)  # type: ignore[operator]
        if self.part == "base" and refiner_of(net) is not None:
            base = copy_to_cpu(net.get_submodule("base"))
            base.trained_scale = net.backbone_scale  # for `describe` only
            return base
        return copy_to_cpu(net, self.select)

    def prepare(self, truth: nn.Module) -> nn.Module:
        """What `write` takes: a copy of the truth with this target's patch methods, folded."""
        return prepare_network(truth, self.crop, self.replace, self.dtype)

    def describe(self, prepared: nn.Module) -> dict[str, str]:
        """What the file says about itself, apart from where its weights are from."""
        return describe_network(prepared) | {
            "target": self.name,
            "precision": self.precision,
            "io": str(self.dtype).removeprefix("torch."),
            "licence": self.licence or "not stated",
            "shape": "dynamic" if self.shape is None else str(list(self.shape)),
        }
