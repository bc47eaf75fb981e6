"""Weights made by formula, key by key, as for tests/golden/network: nobody needs a checkpoint."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

GOLDEN = Path(__file__).parent / "golden" / "network"


def by_formula(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """A state dict of published names and shapes, the same on every machine."""
    return {key: torch.as_tensor(value(key, shape)) for key, shape in shapes.items()}


def value(key: str, shape: list[int]) -> np.ndarray:
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    legacy = np.random.RandomState(zlib.crc32(key.encode()))  # the golden files' own
    x = legacy.standard_normal(shape).astype(np.float32)
    if key.endswith("running_var"):
        x = 0.5 + np.abs(x)
    elif key.endswith("running_mean"):
        x = 0.1 * x
    elif len(shape) == 4:
        x = x * np.float32(np.sqrt(2 / np.prod(shape[1:])))
    else:
        x = (1 if key.endswith("weight") else 0) + 0.1 * x
    if "layer" in key and key.endswith("bn3.weight"):
        x = x * np.float32(0.2)
    if key == "decoder.conv4.weight":
        x = x * np.float32(0.3)
    if key in ("decoder.conv4.bias", "refiner.conv4.bias"):
        x[0] += 0.5
    if key == "decoder.conv4.bias":
        x[4] += 0.1
    return x.astype(np.float32)


def published(backbone: str, network: str = "refine", kernel_size: int = 3) -> dict[str, Tensor]:
    """A state dict as a published BackgroundMattingV2 checkpoint has it."""
    shapes = json.loads((GOLDEN / "state_dict_keys.json").read_text())[backbone]
    if network == "base":
        shapes = {k: s for k, s in shapes.items() if not k.startswith("refiner.")}
    if kernel_size == 1:
        refiner = [k for k in shapes if k.startswith("refiner.conv") and k.endswith("weight")]
        shapes = shapes | {k: [*shapes[k][:2], 1, 1] for k in refiner}
    return by_formula(shapes)


def fill(net: nn.Module) -> nn.Module:
    """Fill a network of ours with the formula's weights; evaluation mode."""
    state = net.state_dict()
    names = {k: k.removeprefix("base.") for k in state}
    filled = by_formula({names[k]: list(v.shape) for k, v in state.items()})
    net.load_state_dict({k: filled[names[k]] for k in state})
    return net.eval()
