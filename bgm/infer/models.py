"""Open any model file: a checkpoint, published weights, an exported file."""

import copy
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from bgm.errors import BadInput
from bgm.export import Exported, open_exported, target_of
from bgm.export.metadata import describe_selection
from bgm.infer.any_size import FixedShapeModel, Network
from bgm.model import MattingRefine, OptimizedRefine, choose_select
from bgm.model.optimize import CoarseAtMost
from bgm.model.patches import refiner_of
from bgm.model.selection import check_kernel_size, check_scale
from bgm.types import Coarse
from bgm.weights import load


class Model(NamedTuple):
    """A network to call with (src, bgr) and how to run it; see `run_any_size`."""

    net: Network
    device: torch.device
    scale: float  # of the picture's size; a refined network scales by itself: 1
    compiled: bool = False  # by torch.compile

    def frames_at_once(self, most: int, left: int | None) -> int:
        """How many frames are to be computed at a time, of `left` that there are (None: many).

        On a CPU two, on half of the cores each, end sooner than one after the other on all: reading
        and writing take turns with one of them, and the other does not wait. Exported files and
        compiled networks have threads of their own.
        """
        ours = isinstance(self.net, nn.Module | OptimizedRefine | CoarseAtMost)
        if self.device.type != "cpu" or self.compiled or not ours:
            return 1
        return max(min(most, torch.get_num_threads(), most if left is None else left), 1)


AUTO = "auto"  # as a backbone_scale
BASE_SCALE = 0.25
PRECISIONS = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16")}
WORDS = {  # of the command line, for settings of exported files
    "backbone_scale": "backbone_scale",
    "refine_mode": "select",
    "refine_sample_pixels": "sample_pixels",
    "refine_threshold": "threshold",
    "kernel_size": "kernel_size",
}
NO_REFINER = (
    "{} is a base network without a refiner: backbone_scale, select, sample_pixels, threshold and "
    "kernel_size are not for it"
)


def open_model(
    path: str,
    *,
    device: str = "auto",
    backbone_scale: float | str | None = AUTO,
    base_scale: float | None = None,
    select: str | nn.Module | None = None,
    sample_pixels: int | None = None,
    threshold: float | None = None,
    kernel_size: int | None = None,
    runtime: str | None = None,
    optimize: bool = False,
    precision: str = "float32",
    compile: bool = False,
) -> Model:
    """Open a model file, with the options of conf/predict.yaml.

    backbone_scale: of a refined network; "auto" is its own, less for large pictures
    (`CoarseAtMost`); files that have theirs built in keep it. base_scale: share of the size at
    which a base network sees pictures; None is what its file says, else 0.25. select,
    sample_pixels, threshold: another selection of patches, see `choose_select`. kernel_size: what
    the refiner must have. runtime: of an .onnx file. optimize, precision, compile: of a checkpoint,
    see `bgm.model.optimize`. Raises BadInput for files that hold no matting network, and for an
    option that the file does not have.
    """
    check_scale("backbone_scale", None if backbone_scale == AUTO else backbone_scale, 0.5)
    check_scale("base_scale", base_scale, 1.0)
    chosen = choose_select(select, sample_pixels, threshold)
    place = choose_device(device)
    if target_of(path) is None and runtime is None:
        if precision not in PRECISIONS:
            raise BadInput(f"precision {precision} is none of {', '.join(PRECISIONS)}")
        if precision == "float16" and place.type == "cpu":
            # Where a processor has no float16 arithmetic: 0.6 times as fast as unoptimized float32.
            raise BadInput(
                "precision=float16 is for GPUs, many CPUs take several times as long as in float32:"
                " take precision=bfloat16 or float32 here"
            )
        if not optimize and (precision != "float32" or compile):
            raise BadInput("precision and compile are for optimize=true, found optimize=false")
        net = load(path, optimize, PRECISIONS[precision], compile)
        check_kernel_size(refiner_of(net), kernel_size, path)
        model = model_of(net.to(place), path, backbone_scale, base_scale, chosen)
        return model._replace(compiled=compile)
    if precision != "float32" or compile:
        raise BadInput(
            f"precision and compile are for checkpoints, {path} was exported with its own"
        )
    exported = open_exported(path, runtime, place)
    set_exported_options(exported, path, backbone_scale, chosen, kernel_size)
    if base_scale is not None and exported.output_type is not Coarse:
        raise BadInput(f"{path} has a refiner: base_scale is for base networks")
    if exported.shape is not None:
        return Model(FixedShapeModel(exported, path), place, 1.0)
    if exported.output_type is not Coarse:
        return Model(exported, place, 1.0)
    trained = exported.metadata.get("backbone_scale")
    return Model(exported, place, float(base_scale or trained or BASE_SCALE))


def model_of(
    net: nn.Module,
    name: str = "the network",
    backbone_scale: float | str | None = AUTO,
    base_scale: float | None = None,
    select: nn.Module | None = None,
) -> Model:
    """A network in eval mode, which stays as it is, with options as for `open_model`.

    name: for messages. Raises BadInput for a scale that is none, and for an option that is not for
    this kind of network.
    """
    check_scale("backbone_scale", None if backbone_scale == AUTO else backbone_scale, 0.5)
    check_scale("base_scale", base_scale, 1.0)
    device = next(net.parameters()).device
    if not isinstance(net, MattingRefine | OptimizedRefine):
        if select or backbone_scale not in (None, AUTO):
            raise BadInput(NO_REFINER.format(name))
        return Model(net, device, float(base_scale or BASE_SCALE))
    if base_scale is not None:
        raise BadInput(
            f"{name} has a refiner: base_scale is for base networks, take backbone_scale"
        )
    if select:
        net = net.at_scale(net.backbone_scale)
        net.refiner = copy.deepcopy(net.refiner)  # four small convolutions
        net.refiner.select = select.eval()
    if backbone_scale == AUTO:
        return Model(CoarseAtMost(net), device, 1.0)
    return Model(net.at_scale(float(backbone_scale)) if backbone_scale else net, device, 1.0)


def choose_device(name: str) -> torch.device:
    """ "auto" is CUDA, else MPS, else the CPU; BadInput for a device that is not there."""
    if name == AUTO:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"device {name} is not available ({str(error).splitlines()[0]})") from None
    return device


def set_exported_options(
    exported: Exported,
    path: str,
    backbone_scale: float | str | None,
    select: nn.Module | None,
    kernel_size: int | None,
) -> None:
    """Set an exported file's options, or raise BadInput when it has others built in."""
    about = exported.metadata
    if backbone_scale == AUTO:
        backbone_scale = None
    wanted = settings(backbone_scale, describe_selection(select) if select else {}, kernel_size)
    if wanted and exported.output_type is Coarse:
        raise BadInput(NO_REFINER.format(path))
    selected = json.loads(about.get("select", "{}"))
    own = settings(about.get("backbone_scale"), selected, about.get("kernel_size"))
    changes = {k: v for k, v in wanted.items() if k in exported.options or v != own.get(k)}
    if refused := sorted(changes.keys() - exported.options.keys()):
        has = ", ".join(f"{WORDS[name]} {value}" for name, value in own.items())
        found = ", ".join(f"{WORDS[name]}={changes[name]}" for name in refused)
        raise BadInput(
            f"{path} has {has or 'its settings'} built in, found {found}: export another file for "
            f"that, this one can change {', '.join(exported.options) or 'nothing'}"
        )
    exported.options.update(changes)


def settings(
    backbone_scale: Any, select: Mapping[str, Any], kernel_size: Any
) -> dict[str, float | int | str]:
    """Settings by the names of `WORDS`, of a command line or of what a file says about itself."""
    found: dict[str, float | int | str] = {}
    if backbone_scale is not None:
        found["backbone_scale"] = float(backbone_scale)
    if select:
        found["refine_mode"] = select["name"].lower()
        found |= {f"refine_{name}": value for name, value in select.items() if name != "name"}
    if kernel_size is not None:
        found["kernel_size"] = int(kernel_size)
    return found
