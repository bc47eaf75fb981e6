"""bgm release ckpt=FILE out=FILE.safetensors: a network to give away, with its run cards."""

import re
from typing import Any

from omegaconf import DictConfig
from torch import Tensor, nn

import bgm
from bgm.console import say
from bgm.errors import BadInput, check_at_least
from bgm.export import provenance
from bgm.export.certify.certificate import compare_mattes
from bgm.export.certify.check import check
from bgm.export.certify.grid import brief
from bgm.export.certify.matting_set import MattingSet
from bgm.export.tolerances import PRECISIONS
from bgm.files import check_other_file
from bgm.model import MattingRefine
from bgm.model.selection import choose_select
from bgm.weights import read_own, read_weights, safetensors_path, write_safetensors
from bgm.weights.build import build, load_strictly
from bgm.weights.formats import from_eight_bits, to_eight_bits

MOST = 11_900_000  # bytes of weights
# Single pixels of noise: the mean decides. What rounding the weights costs is what is judged here.
LIMITS = PRECISIONS["float16"]._replace(largest=1.0, half=False)
FOLDER = re.compile(r"(?<![\w.])/(?:[^\s/'\",\]]+/)*")  # of absolute paths


def main(cfg: DictConfig) -> None:
    """Write the network of a checkpoint in float16, checked against the checkpoint's.

    BatchNorm's statistics stay float32: a variance may be too small or too large for float16. Of a
    network larger than MOST the large convolutions are kept in 8 bits (`bgm.weights.formats`).
    Raises BadInput for other networks, and where float16 changes more than it may in an export.
    """
    check_at_least("bgm release", 1, scenes=cfg.scenes)
    out = safetensors_path(cfg.out)
    before = [cfg.before] if isinstance(cfg.before, str) else cfg.before or []
    for path in before:
        check_other_file(out, before=path)
    check_other_file(out, ckpt=cfg.ckpt)
    stored = read_own(cfg.ckpt)
    network, net = stored.network, bgm.load(cfg.ckpt)
    if select := choose_select(sample_pixels=cfg.get("sample_pixels")):
        if not isinstance(net, MattingRefine):
            raise BadInput(f"sample_pixels={cfg.sample_pixels}: a base network refines nothing")
        words = {"_target_": "bgm.model.Sampling", "sample_pixels": int(cfg.sample_pixels)}
        network = {**network, "refiner": {**network["refiner"], "select": words}}
        net.refiner.select = select
    state = {  # statistics and counts as they are
        name: value.half() if value.is_floating_point() and "running_" not in name else value
        for name, value in stored.state.items()
    }
    if sum(value.nbytes for value in state.values()) > MOST:
        state = to_eight_bits(state)
    card = {
        "licence": str(cfg.licence),
        "checkpoint_sha256": provenance(cfg.ckpt)["checkpoint_sha256"],
        "trainings": [made for path in [*before, cfg.ckpt] for made in read_run_cards(path)],
        "float16": (cost := check_float16(cfg, net, state, network)),
    }
    write_safetensors(out, state, network, without_folders(card))
    say(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB; MAD x1e3 on {cost['set']} {cost['mad']:.3f}, "
        f"in float32 {cost['mad_float32']:.3f}"
    )


def check_float16(
    cfg: DictConfig, net: nn.Module, state: dict[str, Tensor], network: dict
) -> dict[str, Any]:
    """What float16 costs; BadInput when that is more than `LIMITS` allow."""
    floats = {k: v.float() for k, v in from_eight_bits(state).items()}
    half = load_strictly(build(network), floats, cfg.ckpt)
    report = check(net, half, LIMITS, brief(net))
    mattes = compare_mattes(net, half, MattingSet(cfg.scenes), LIMITS)
    mads = {"mad": mattes["file"]["mad"], "mad_float32": mattes["network"]["mad"]}
    return {"largest": report.largest, **mads, "set": mattes["set"], "scenes": int(cfg.scenes)}


def read_run_cards(path: str) -> list[dict[str, Any]]:
    """The run card in a checkpoint of ours, and its hours; of a released file, those it carries.

    hours: the steps at the card's steps a second, so without validation; also of resumed runs.
    Raises BadInput where there is none.
    """
    stored = read_weights(path).about
    card = stored.get("bgm_card")
    if trainings := stored.get("trainings"):
        return trainings
    if not card:
        raise BadInput(f"{path} carries no run card: it was not trained by train.py")
    rate = card.get("throughput", {}).get("batches_per_second")
    steps = card.get("progress", {}).get("step")
    return [card | ({"hours": round(steps / rate / 3600, 2)} if rate and steps else {})]


def without_folders(value: Any) -> Any:
    """Plain values without the folders of absolute paths: they are one machine's own."""
    if isinstance(value, dict):
        return {key: without_folders(child) for key, child in value.items()}
    if isinstance(value, list):
        return [without_folders(child) for child in value]
    return FOLDER.sub("", value) if isinstance(value, str) else value
