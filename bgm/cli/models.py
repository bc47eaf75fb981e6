"""Open any model file: a checkpoint, published weights, an exported file."""

from pathlib import Path
from typing import NamedTuple

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

import bgm
from bgm.errors import BadInput
from bgm.export.runtime import open_onnx, open_torchscript
from bgm.infer.matte import Network
from bgm.model import MattingBase, MattingRefine
from bgm.types import Coarse


class Model(NamedTuple):
    """A network to call with (src, bgr) and how to run it; see `bgm.infer.predict`."""

    net: Network
    device: torch.device
    scale: float  # of the picture's size; a refined network scales by itself: 1


EXPORTED = {".onnx": open_onnx, ".pt": open_torchscript}


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
    """Open a model file with cfg's knobs: device, base_scale, and select and backbone_scale.

    Raises BadInput for files that hold no matting network, and for a knob that the file has not.
    """
    device = device_of(cfg.device)
    opened = EXPORTED.get(Path(path).suffix.lower())
    net = opened(path) if opened else bgm.load(path).to(device)
    select, scale = cfg.get("select"), cfg.backbone_scale
    if (select or scale) and not isinstance(net, MattingRefine):
        why = "an exported file has them built in" if opened else "a base network has no refiner"
        raise BadInput(f"select and backbone_scale cannot be changed in {path}: {why}")
    if select:
        net.refiner.select = instantiate(select).eval()
    if scale:
        net = MattingRefine(net.base, net.refiner, scale).eval()
    coarse = isinstance(net, MattingBase) or getattr(net, "answer", None) is Coarse
    return Model(net, device, cfg.base_scale if coarse else 1.0)
