"""bgm release ckpt=FILE out=FILE.safetensors: a network to give away, with its run cards."""

import re
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

import bgm
from bgm.console import say
from bgm.errors import BadInput
from bgm.export import card
from bgm.export.certify.certificate import JUST_NOISE
from bgm.export.certify.check import check
from bgm.export.certify.grid import brief
from bgm.export.certify.matting_set import MattingSet
from bgm.export.tolerances import PRECISIONS
from bgm.weights import read_own, read_weights, safetensors_path, write_safetensors
from bgm.weights.build import build, filled

LIMITS = PRECISIONS["float16"]._replace(largest=1.0)  # single pixels of noise: the mean decides
FOLDERS = re.compile(r"(?<![\w.])/(?:[^\s/'\",\]]+/)*")  # of absolute paths


def main(cfg: DictConfig) -> None:
    """Write the network of a checkpoint in float16, checked against the checkpoint's.

    BatchNorm's statistics stay float32: a variance may be too small or too large for float16.
    Raises BadInput for a checkpoint without a network of ours, and for one that float16 changes by
    more than an export in float16 may.
    """
    out, stored = safetensors_path(cfg.out), read_own(cfg.ckpt)
    state = {name: halved(name, value) for name, value in stored.state.items()}
    told = {
        "licence": str(cfg.licence),
        "checkpoint_sha256": card(cfg.ckpt)["checkpoint_sha256"],
        "trainings": [run_card(path) for path in [*cfg.before, cfg.ckpt]],
        "float16": (cost := proved(cfg, state, stored.network)),
    }
    write_safetensors(out, state, stored.network, without_places(told))
    say(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB; MAD x1e3 on {cost['set']} {cost['mad']:.3f}, "
        f"in float32 {cost['mad_float32']:.3f}"
    )


def halved(name: str, value: Tensor) -> Tensor:
    """A weight in float16; statistics and counts as they are."""
    return value.half() if value.is_floating_point() and "running_" not in name else value


def proved(cfg: DictConfig, state: dict[str, Tensor], network: dict) -> dict[str, Any]:
    """What float16 costs; BadInput when that is more than `LIMITS` allow."""
    net = bgm.load(cfg.ckpt)
    half = filled(build(network), {k: v.float() for k, v in state.items()}, cfg.ckpt)
    report = check(net, half, LIMITS, brief(net))
    judge = MattingSet(cfg.scenes)
    with torch.no_grad():
        was, now = judge(net)["mad"], judge(half)["mad"]
    if not now <= was * (1 + LIMITS.mad_rise) + JUST_NOISE:
        raise BadInput(f"float16 has MAD {now:.3f} on {judge.name}, the checkpoint {was:.3f}")
    found = {"largest": report.largest, "mad": now, "mad_float32": was}
    return found | {"set": judge.name, "scenes": int(cfg.scenes)}


def run_card(path: str) -> dict[str, Any]:
    """The run card in a checkpoint of ours, and its hours. Raises BadInput where there is none.

    hours: the steps at the card's steps a second, so without validation; also of resumed runs.
    """
    found = read_weights(path).card.get("bgm_card")
    if not found:
        raise BadInput(f"{path} carries no run card: it was not trained by train.py")
    rate = found.get("throughput", {}).get("batches_per_second")
    steps = found.get("progress", {}).get("step")
    return found | ({"hours": round(steps / rate / 3600, 2)} if rate and steps else {})


def without_places(value: Any) -> Any:
    """Plain values without the folders of absolute paths: they are one machine's own."""
    if isinstance(value, dict):
        return {key: without_places(child) for key, child in value.items()}
    if isinstance(value, list):
        return [without_places(child) for child in value]
    return FOLDERS.sub("", value) if isinstance(value, str) else value
