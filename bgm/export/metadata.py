"""What an exported file says about itself: plain strings under fixed names."""

import hashlib
import json
from pathlib import Path

import torch
from torch import nn

import bgm
from bgm.export.prepare import refiner_of
from bgm.model import Full, Sampling, Thresholding
from bgm.weights import read_weights, weights_file
from bgm.weights.build import SELECTIONS, bgmv2_config


def card(ckpt: str | Path) -> dict[str, str]:
    """Where a network came from: its `checkpoint`'s name and `checkpoint_sha256`, and `network`.

    `network` is the JSON that rebuilds it. Raises BadInput as `bgm.load` does.
    """
    stored = read_weights(ckpt)
    network = stored.network
    if stored.kind == "bgmv2":
        network = bgmv2_config(stored.state, SELECTIONS["sampling"](80_000, 0.1), 0.25)
    path = weights_file(ckpt)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "checkpoint": path.name,
        "checkpoint_sha256": digest,
        "network": json.dumps(network),
    }


def described(net: nn.Module) -> dict[str, str]:
    """How to use a network that is about to be written, and how it was made.

    layout, channels, range, divisor: of src and bgr. backbone_scale: coarse size / full size, the
    size that a base network wants as well, if it is known. select, crop, replace: the patch methods
    of a refined network, select with its numbers as JSON.
    """
    refiner = refiner_of(net)
    about = {
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
        about["backbone_scale"] = str(scale)
    if refiner is None:
        return about
    select = refiner.select
    kinds = (x for x in (Sampling, Thresholding, Full) if isinstance(select, x))
    numbers = {
        name: float(f"{getattr(select, name):.7g}") if name == "threshold" else select.sample_pixels
        for name in ("sample_pixels", "threshold")
        if hasattr(select, name)
    }
    return about | {
        "select": json.dumps({"name": next(kinds, type(select)).__name__, **numbers}),
        "crop": type(refiner.crop).__name__,
        "replace": type(refiner.replace).__name__,
    }
