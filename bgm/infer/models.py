"""Open any model file: a checkpoint, published weights, an exported file."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import nn

import bgm
from bgm.errors import BadInput
from bgm.export import (
    Exported,
    open_executorch,
    open_ncnn,
    open_onnx,
    open_openvino,
    open_pt2,
    open_torchscript,
)
from bgm.export.runtime_options import MODES
from bgm.export.targets.onnx_runtimes import RUNTIMES
from bgm.infer.fixed_shape import Fitted
from bgm.infer.matte import Network
from bgm.model import MattingBase, OptimizedBase, optimize
from bgm.model.coarse import CoarseAtMost
from bgm.types import Coarse


class Model(NamedTuple):
    """A network to call with (src, bgr) and how to run it; see `bgm.infer.predict`."""

    net: Network
    device: torch.device
    scale: float  # of the picture's size; a refined network scales by itself: 1


EXPORTED: dict[str, Callable[..., Exported]] = {
    ".onnx": open_onnx,
    ".xml": open_openvino,
    ".pt": open_torchscript,
    ".pt2": open_pt2,
    ".pte": open_executorch,
    ".param": open_ncnn,
}
AUTO = "auto"  # as a backbone_scale
ON_DEVICE = {".pt", ".pt2"}  # the others run on the CPU, whatever cfg.device says


def device_of(name: str) -> torch.device:
    """ "auto" is the GPU where there is one; BadInput for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"device {name} is not available ({str(error).splitlines()[0]})") from None
    return device


def open_model(path: str, cfg: DictConfig) -> Model:
    """Open a model file with cfg's knobs: device, base_scale, runtime, select, backbone_scale.

    backbone_scale may be "auto": the network's own, less for large pictures (`CoarseAtMost`); files
    that have theirs built in keep it. Raises BadInput for files that hold no matting network, and
    for a knob that the file has not.
    """
    check_scale("backbone_scale", cfg.backbone_scale, 0.5)
    check_scale("base_scale", cfg.base_scale, 1.0)
    device = device_of(cfg.device)
    opened = opener(path, cfg.get("runtime"), device)
    select = instantiate(cfg.select).eval() if cfg.get("select") else None
    if opened is None:
        stored = bgm.load(path)
        if cfg.get("optimize"):
            stored = optimize(stored, precision(cfg), cfg.get("compile", False))
        net = with_knobs(stored.to(device), path, select, cfg.backbone_scale)
        is_base = isinstance(net, MattingBase | OptimizedBase)
        return Model(net, device, share(cfg, None) if is_base else 1.0)
    exported = opened(path)
    turn_knobs(exported, path, select, cfg.backbone_scale)
    if exported.shape is not None:
        return Model(Fitted(exported, path), device, 1.0)
    coarse = exported.answer is Coarse
    trained = exported.metadata.get("backbone_scale")
    return Model(exported, device, share(cfg, trained) if coarse else 1.0)


def check_scale(name: str, value: float | str | None, most: float) -> None:
    """BadInput for a scale that is no share of a picture's size."""
    fits = isinstance(value, int | float) and 0 < value <= most
    if not (fits or value is None or (value == AUTO and name == "backbone_scale")):
        raise BadInput(f"{name} is {value}, expected a number above 0 and at most {most:g}")


def opener(path: str, runtime: str | None, device: torch.device) -> Callable | None:
    """What opens an exported file, by its suffix; None for a checkpoint."""
    suffix = Path(path).suffix.lower()
    if runtime is not None:
        if suffix != ".onnx":
            raise BadInput(f"runtime={runtime} is for .onnx files, not for {path}")
        if runtime not in RUNTIMES:
            raise BadInput(f"runtime={runtime} is none of {', '.join(RUNTIMES)}")
        return RUNTIMES[runtime]
    opened = EXPORTED.get(suffix)
    return partial(opened, device=device) if suffix in ON_DEVICE else opened


def precision(cfg: DictConfig) -> torch.dtype:
    """The type in which an optimized network's base computes; BadInput for any other word."""
    name = cfg.get("precision") or "float32"
    if name not in ("float32", "bfloat16", "float16"):
        raise BadInput(f"precision {name} is none of float32, bfloat16, float16")
    return getattr(torch, name)


def share(cfg: DictConfig, trained: str | None) -> float:
    """At which share of the picture's size a base network works: asked for, said by its file."""
    return float(cfg.base_scale or trained or 0.25)


def with_knobs(
    net: nn.Module, path: str, select: nn.Module | None, scale: float | str | None
) -> Any:
    """A checkpoint's network with another selection and scale."""
    is_base = isinstance(net, MattingBase | OptimizedBase)
    if scale == AUTO and is_base:
        scale = None
    if (select or scale) and is_base:
        raise BadInput(
            f"select and backbone_scale cannot be changed in {path}: a base network has no refiner"
        )
    if select:
        net.refiner.select = select
    if scale == AUTO:
        return CoarseAtMost(net)
    return net.at_scale(float(scale)) if scale else net


def turn_knobs(
    exported: Exported, path: str, select: nn.Module | None, scale: float | str | None
) -> None:
    """Set an exported file's knobs, or raise BadInput when it has these built in."""
    wanted: dict[str, Any] = {"backbone_scale": float(scale)} if scale not in (None, AUTO) else {}
    if select is not None:
        said = vars(select)
        wanted |= {"refine_mode": MODES[type(select)]}
        wanted |= {f"refine_{k}": said[k] for k in ("sample_pixels", "threshold") if k in said}
        same_kind = type(select).__name__ in exported.metadata.get("select", "")
        if same_kind and "refine_mode" not in exported.knobs and len(wanted) > 1:
            del wanted["refine_mode"]  # only its number may differ
    missing = [name for name in wanted if name not in exported.knobs]
    if missing:
        raise BadInput(
            f"select and backbone_scale cannot be changed in {path}: an exported file has them "
            f"built in, this one can change {', '.join(exported.knobs) or 'nothing'}"
        )
    exported.knobs.update(wanted)
