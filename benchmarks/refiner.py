"""What a refiner does to the coarse matte, by what is true there.

    python benchmarks/refiner.py MODEL SCENES [--backbone-scale 0.5] [--every N]

MODEL: a refined checkpoint, or the name of a network that comes with bgm. SCENES: src/ bgr/ pha/
fgr/, as bgm compose writes. Looks at the refined pixels alone, and prints mean absolute errors of
the enlarged coarse alpha and of the refined one, and their mean signed errors, by true alpha and by
how far the subject's colour is from the plate's. A refiner that has learnt that what is like the
plate is a hole is worse than coarse where true alpha is 1.
"""

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

import bgm
from bgm.data import Scenes
from bgm.model.selection import choose_select
from bgm.ops import resize

ALPHA = {"0": (-1, 0.02), "up to 0.3": (0.02, 0.3), "up to 0.7": (0.3, 0.7)}
ALPHA |= {"below 1": (0.7, 0.98), "1": (0.98, 2)}
APART = {"below 0.08": (-1, 0.08), "to 0.2": (0.08, 0.2), "to 0.4": (0.2, 0.4), "above": (0.4, 2)}


@torch.inference_mode()
def pixels(net: torch.nn.Module, scenes: Scenes, every: int) -> torch.Tensor:
    """(N, 4): true alpha, mean |fgr - bgr| over channels, coarse and refined alpha of pixels."""
    found = []
    for index in range(0, len(scenes), every):
        scene = scenes[index]
        H, W = (side // 4 * 4 for side in scene.src.shape[-2:])
        src, bgr, pha, fgr = (x[None, :, :H, :W].float() for x in scene[:4])
        pred = net(src, bgr)
        there = resize(pred.ref_sm, [H, W])[0, 0] > 0.5
        apart = (fgr - bgr).abs().mean(1)
        coarse = resize(pred.pha_sm, [H, W])[:, 0].clamp(0, 1)
        values = torch.stack([pha[:, 0], apart, coarse, pred.pha[:, 0]], -1)
        found.append(values[0][there])
    return torch.cat(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--backbone-scale", type=float, default=0.5)
    parser.add_argument("--sample-pixels", type=int, default=80_000)
    parser.add_argument("--every", type=int, default=1, help="look at each so many-th scene")
    args = parser.parse_args()
    net = bgm.load(args.model).at_scale(args.backbone_scale)
    net.refiner.select = choose_select(sample_pixels=args.sample_pixels)
    true, apart, coarse, refined = pixels(net, Scenes(args.scenes), args.every).unbind(1)
    table = Table(title=f"{args.model} at {args.backbone_scale}: alpha of {len(true)} pixels, x1e3")
    for name in ("", "share", "coarse", "refined", "coarse, signed", "refined, signed"):
        table.add_column(name, justify="right" if name else "left")
    rows = {"all": torch.ones_like(true, dtype=torch.bool)}
    for what, value, ranges in (("alpha", true, ALPHA), ("|fgr - bgr|", apart, APART)):
        rows |= {f"{what} {n}": (value > lo) & (value <= hi) for n, (lo, hi) in ranges.items()}
    for name, where in rows.items():
        wrong = [1e3 * (x[where] - true[where]) for x in (coarse, refined)]
        numbers = [w.abs().mean() for w in wrong] + [w.mean() for w in wrong]
        share = f"{where.float().mean():.0%}"
        table.add_row(name, share, *(f"{x:.1f}" for x in numbers))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
