"""From stored weights to a network in eval mode, and which of them fit it."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra.utils import instantiate
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.model import SELECTIONS
from bgm.model import optimize as optimized
from bgm.model.selection import KIND_OF
from bgm.weights.formats import Stored, read_weights

TRUST = "BGM_TRUST"  # environment variable: packages whose constructors a file may name, by commas


class LoadReport(NamedTuple):
    """Keys of the network, but left_over: keys of the file."""

    matched: list[str]
    missing: list[str]
    left_over: list[str]
    reshaped: list[str]

    @property
    def complete(self) -> bool:
        """Whether each weight of the network has its own in the file, and no other is there."""
        return not (self.missing or self.left_over or self.reshaped)

    def __str__(self) -> str:
        named = {"missing": self.missing, "left over": self.left_over}
        named["of another shape"] = self.reshaped
        lines = [f"{len(keys)} {what}: {grouped(keys)}" for what, keys in named.items() if keys]
        return "; ".join([f"{len(self.matched)} weights matched", *lines])


def match_keys(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> LoadReport:
    """Compare a network's own state with what a file holds under the network's names."""
    both = [k for k in own if k in theirs]
    return LoadReport(
        matched=[k for k in both if own[k].shape == theirs[k].shape],
        missing=[k for k in own if k not in theirs],
        left_over=[k for k in theirs if k not in own],
        reshaped=[k for k in both if own[k].shape != theirs[k].shape],
    )


def grouped(keys: list[str], most: int = 12) -> str:
    """Keys by their part of the network, with counts: "refiner.conv1 (2), refiner.bn1 (5)"."""
    groups = Counter(".".join(key.split(".")[:2]) for key in keys)
    shown = [f"{part} ({count})" for part, count in list(groups.items())[:most]]
    return ", ".join([*shown, *(["..."] if len(groups) > most else [])])


def build(network: Mapping[str, Any]) -> nn.Module:
    """Build the network that a config out of a file describes, see `check_targets`."""
    check_targets(network)
    return instantiate(network)


def check_targets(network: Mapping[str, Any]) -> None:
    """Raise BadInput for a config that names more than `bgm.model.*` and packages of `TRUST`.

    Instantiating anything else that a file names would run it.
    """
    trusted = ("bgm.model", *filter(None, os.environ.get(TRUST, "").split(",")))
    for target in targets(network):
        if not any(target.startswith(f"{package}.") for package in trusted):
            raise BadInput(
                f"the network's config names {target}; only bgm.model.* is allowed there, and the "
                f"packages that {TRUST} names: {TRUST}={target.partition('.')[0]} if you trust it"
            )


def targets(config: object) -> list[str]:
    """Every _target_ in a nested config."""
    if isinstance(config, Mapping):
        own = [str(config["_target_"])] if "_target_" in config else []
        return own + [t for value in config.values() for t in targets(value)]
    if isinstance(config, list | tuple):
        return [t for value in config for t in targets(value)]
    return []


def load(
    path: str | Path,
    optimize: bool = False,
    dtype: torch.dtype = torch.float32,
    compile: bool = False,
) -> nn.Module:
    """Rebuild the network of a checkpoint, base or refined, in eval mode.

    path: a .ckpt or .safetensors of ours, a published BackgroundMattingV2 .pth, or the name of a
    network that comes with the package ("mobilenetv2"). optimize: for inference only, the same
    picture in less time and memory, see `bgm.model.optimize`, whose options dtype and compile are.
    Loads strictly; raises BadInput for any other file.
    """
    if optimize:
        return optimized(load(path), dtype, compile)
    if dtype != torch.float32 or compile:
        raise BadInput("dtype and compile are for inference: expected optimize=True beside them")
    stored = read_weights(path)
    return load_strictly(build(config_of(stored, path)), own_names(stored), str(path))


def network_of(path: str | Path) -> dict:
    """The config that rebuilds the network of a matting checkpoint, plain values.

    Of a published file with the defaults of `from_bgmv2`. Raises BadInput for any other file.
    """
    return config_of(read_weights(path), path)


def config_of(stored: Stored, path: str | Path) -> dict:
    """`network_of` of weights that were read before."""
    if stored.kind == "bgmv2":
        return bgmv2_config(stored.state)
    if not stored.network:
        raise BadInput(
            f"{path} holds a {stored.kind} network, not a matting network: "
            "use it to initialise a training (train.py init=...)"
        )
    return stored.network


def from_bgmv2(
    state_dict_or_path: Mapping[str, Tensor] | str | Path,
    *,
    backbone_scale: float = 0.25,
    mode: str = "sampling",
    sample_pixels: int = 80_000,
    threshold: float = 0.1,
) -> nn.Module:
    """Build and strictly load the network of a published BackgroundMattingV2 checkpoint.

    Base or refined, backbone and kernel size are told from its keys and shapes; the keywords are
    what a checkpoint does not hold, see `bgm.model.MattingRefine`. Returns eval mode.
    """
    if isinstance(state_dict_or_path, Mapping):
        stored = Stored("bgmv2", dict(state_dict_or_path), {}, {})
        name = "the state dict"
    else:
        stored, name = read_weights(state_dict_or_path), str(state_dict_or_path)
    if stored.kind != "bgmv2" or "decoder.conv4.weight" not in stored.state:
        raise BadInput(
            f"{name} is not a BackgroundMattingV2 checkpoint (no backbone.* and decoder.*)"
        )
    network = bgmv2_config(stored.state, backbone_scale, mode, sample_pixels, threshold)
    return load_strictly(build(network), own_names(stored), name)


def bgmv2_config(
    state: Mapping[str, Tensor],
    backbone_scale: float = 0.25,
    mode: str = "sampling",
    sample_pixels: int = 80_000,
    threshold: float = 0.1,
) -> dict:
    """The network config that a published state dict's keys and shapes imply."""
    numbers = {"sample_pixels": sample_pixels, "threshold": threshold}
    if mode not in SELECTIONS:
        raise BadInput(f"mode {mode} is none of {', '.join(SELECTIONS)}")
    select: dict[str, object] = {"_target_": f"bgm.model.{SELECTIONS[mode].__name__}"}
    select |= {name: number for name, number in numbers.items() if KIND_OF[name] == mode}
    blocks = {k.split(".")[2] for k in state if k.startswith("backbone.layer3.")}
    backbone = {0: "mobilenetv2", 6: "resnet50", 23: "resnet101"}.get(len(blocks))
    if backbone is None:
        raise BadInput(f"the checkpoint's backbone has {len(blocks)} blocks in layer3: not 6 or 23")
    base = {"_target_": "bgm.model.MattingBase", "backbone": {"_target_": f"bgm.model.{backbone}"}}
    if "refiner.conv1.weight" not in state:
        return base
    return {
        "_target_": "bgm.model.MattingRefine",
        "base": base,
        "refiner": {
            "_target_": "bgm.model.PatchRefiner",
            "kernel_size": int(state["refiner.conv1.weight"].shape[-1]),
            "select": select,
        },
        "backbone_scale": backbone_scale,
    }


def own_names(stored: Stored) -> dict[str, Tensor]:
    """The weights of a matting checkpoint under our names.

    Of a published refined network everything but refiner.* goes under base.; a base network stays.
    """
    if stored.kind != "bgmv2" or not any(k.startswith("refiner.") for k in stored.state):
        return stored.state
    return {k if k.startswith("refiner.") else f"base.{k}": v for k, v in stored.state.items()}


def load_strictly(net: nn.Module, state: Mapping[str, Tensor], name: str) -> nn.Module:
    """net with all its weights from state, strictly; BadInput names the keys that do not fit."""
    report = match_keys(net.state_dict(), state)
    if not report.complete:
        raise BadInput(f"{name} does not fit the network: {report}")
    net.load_state_dict(state)
    return net.eval()
