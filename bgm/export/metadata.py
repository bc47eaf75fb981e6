"""What an exported file says about itself: plain strings under fixed names."""

import json
from pathlib import Path

import torch
from torch import nn

import bgm
from bgm.files import sha256
from bgm.model import Full, Sampling, Thresholding
from bgm.model.patches import refiner_of
from bgm.weights import network_of, weights_file


def provenance(ckpt: str | Path) -> dict[str, str]:
    """Where a network came from: its `checkpoint`'s name and `checkpoint_sha256`, and `network`.

    `network` is the JSON that rebuilds it. Raises BadInput as `bgm.load` does.
    """
    path = weights_file(ckpt)
    return {
        "checkpoint": path.name,
        "checkpoint_sha256": sha256(path),
        "network": json.dumps(network_of(ckpt)),
    }


def describe_network(net: nn.Module) -> dict[str, str]:
    """How to use a network that is about to be written, and how it was made.

    layout, channels, range, divisor: of src and bgr. backbone_scale: coarse size / full size, the
    size that a base network wants as well, if it is known. select, crop, replace: the patch methods
    of a refined network, select with its numbers as JSON.
    """
    refiner = refiner_of(net)
    metadata = {
        "bgm_version": bgm.__version__,
        "torch_version": torch.__version__,
        "kind": "base" if refiner is None else "refined",
        "layout": "NCHW",
        "channels": "RGB",
        "range": "0-1",
        "divisor": "4",
        "backbone": type(getattr(net, "base", net).backbone).__name__,
    }
    scale = getattr(net, "backbone_scale", getattr(net, "trained_scale", None))
    if scale is not None:
        metadata["backbone_scale"] = str(scale)
    if refiner is None:
        return metadata
    return metadata | {
        "kernel_size": str(refiner.kernel_size),
        "select": json.dumps(describe_selection(refiner.select)),
        "crop": type(refiner.crop).__name__,
        "replace": type(refiner.replace).__name__,
    }


def describe_selection(select: nn.Module) -> dict[str, str | int | float]:
    """The kind of a selection and its number."""
    kinds = (kind for kind in (Sampling, Thresholding, Full) if isinstance(select, kind))
    described: dict[str, str | int | float] = {"name": next(kinds, type(select)).__name__}
    if isinstance(select, Sampling):
        described["sample_pixels"] = select.sample_pixels
    if isinstance(select, Thresholding):
        described["threshold"] = float(f"{select.threshold:.7g}")  # may be a float32 tensor
    return described
