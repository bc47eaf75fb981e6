"""How a matte depends on what is wrong with its plate: several networks, MAD x1e3 side by side.

    python benchmarks/plates.py SCENES MODEL [MODEL ...] [--scale 0.5] [--every N] [--only NAME ...]

SCENES: src/ bgr/ pha/ fgr/ whose plates are exact, as `bgm compose benchmark=folder` writes. What
is done to the plate is what `eval.py robustness=` does (`bgm.eval.robustness`: moved by pixels,
gamma, noise, shadow, JPEG, blur); that scores every metric, this only MAD, in a small part of the
time. Plates are not aligned first, as predict.py would.
"""

import argparse
import statistics
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

import bgm
from bgm.data import Scenes
from bgm.eval.robustness import PERTURBATIONS, PerturbedScenes, perturbation_names
from bgm.metrics import score
from bgm.model.selection import choose_select

LEVELS = {"misalignment": (0, 1, 2, 3, 4, 6), "exposure": (0.8, 0.9, 1.1, 1.2)}  # others: their own


@torch.inference_mode()
def mean_mad(net: torch.nn.Module, scenes: PerturbedScenes, every: int) -> float:
    """MAD x1e3 in the mean."""
    mads = []
    for index in range(0, len(scenes), every):
        scene = scenes[index]
        H, W = (side // 4 * 4 for side in scene.src.shape[-2:])
        src, bgr, pha = (x[None, :, :H, :W].float() for x in scene[:3])
        pred = net(src, bgr).pha[0, 0].clamp(0, 1)
        mads.append(score(pred, pha[0, 0], protocol="frame", only=("mad",))["mad"])
    return statistics.fmean(mads)


def main() -> None:
    """Print a row a level, a column a network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path)
    parser.add_argument(
        "models", nargs="+", help="refined checkpoints, or names that come with bgm"
    )
    parser.add_argument("--scale", type=float, default=0.5, help="of the base network")
    parser.add_argument("--every", type=int, default=1, help="score each so many-th scene")
    parser.add_argument("--only", nargs="+", default=list(PERTURBATIONS), metavar="NAME")
    args = parser.parse_args()
    scenes = Scenes(args.scenes)
    nets = [bgm.load(model).at_scale(args.scale) for model in args.models]
    for net in nets:
        net.refiner.select = choose_select("sampling", None, None)
    table = Table("plate", *args.models, title=f"MAD x1e3, scale {args.scale:g}, {args.scenes}")
    for name in perturbation_names(args.only):
        perturbation = PERTURBATIONS[name]
        for level in LEVELS.get(name, perturbation.levels):
            there = PerturbedScenes(scenes, perturbation, level)
            mads = [mean_mad(net, there, args.every) for net in nets]
            table.add_row(f"{name} {level:g}", *(f"{mad:.2f}" for mad in mads))
    Console().print(table)


if __name__ == "__main__":
    main()
