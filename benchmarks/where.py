"""Where a network errs on finished scenes: inside the subject, outside it, in the band between.

    python benchmarks/where.py MODEL SCENES [--every N] [--enlarge N]

Prints means over scenes, x1e3 of all their pixels, so that inside + outside + band is MAD; then the
holes, as shares of the subject's inside: pixels below one half, all and those where shot and plate
are alike (mean difference below 0.04), and the specks, as a share of where the truth is 0: pixels
above a tenth; then MAD x1e3 and Grad and Conn /1000 by group, where a
manifest.json tells the files' names: what stands before the first `_`. Inside and outside are where
alpha is 1 or 0 (to 0.01) in all of the 15x15 px around; the band is split once more into what is
nearly opaque or clear there (to 0.05) and what is soft: hair, fur, edges. `--enlarge` judges
presets for HD and 4K for want of such scenes: as large, not as sharp.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch.nn.functional as F
from torch import nn

from bgm.data import Scenes
from bgm.eval.cases import predict_with
from bgm.infer.models import open_model
from bgm.metrics import score
from bgm.model.patches import Sampling
from bgm.types import Batch

AROUND = np.ones((15, 15), np.uint8)
SURE = 0.01
SOFT = 0.05
SPECK = 0.1
PARTS = ("inside", "outside", "band", "soft")
ALIKE = 0.04  # mean over channels of |src - bgr|


class Errors(NamedTuple):
    """Of one scene: MAD and its parts (soft is part of band), shares of the subject's inside,
    of the place, Grad and Conn in thousands."""

    mad: float
    inside: float
    outside: float
    band: float
    soft: float
    holes: float
    alike: float
    holes_alike: float
    specks: float
    grad: float
    conn: float


def errors(scene: Batch, pred: np.ndarray) -> Errors:
    """pred: (H, W) in 0..255."""
    pha = scene.pha[0].numpy()
    wrong = np.abs(pred / 255 - pha)
    inside, outside = (
        cv2.erode(sure.astype(np.uint8), AROUND) > 0 for sure in (pha > 1 - SURE, pha < SURE)
    )
    alike = inside & ((scene.src - scene.bgr).abs().mean(0).numpy() < ALIKE)
    hole = inside & (pred < 128)
    band = ~inside & ~outside
    soft = band & (pha > SOFT) & (pha < 1 - SOFT)
    parts = [np.where(where, wrong, 0).mean() for where in (inside, outside, band, soft)]
    shares = [part.sum() / max(inside.sum(), 1) for part in (hole, alike, hole & alike)]
    nothing = pha == 0
    shares.append((nothing & (pred / 255 > SPECK)).sum() / max(nothing.sum(), 1))
    others = score(pred, scene.pha[0], protocol="frame", only=("grad", "conn"))
    return Errors(wrong.mean(), *parts, *shares, others["grad"], others["conn"])


def enlarged(scene: Batch, times: int) -> Batch:
    """Its pictures (C, H, W) as (C, times H, times W), bicubic."""
    if times == 1:
        return scene
    large = {
        name: F.interpolate(x[None], scale_factor=times, mode="bicubic")[0].clamp(0, 1)
        for name, x in scene._asdict().items()
        if x.ndim == 3
    }
    return scene._replace(**large)


def groups(folder: Path, names: list[str]) -> list[str]:
    """The subject's kind of each scene, as far as the file it was composed of says it."""
    path = folder / "manifest.json"
    scenes = json.loads(path.read_text())["scenes"] if path.is_file() else []
    kinds = {scene["name"]: Path(scene["fgr"]).stem.split("_")[0] for scene in scenes}
    return [kinds.get(name, "all") for name in names]


def main() -> None:
    """Print the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="anything that eval.py takes as ckpt")
    parser.add_argument("scenes", type=Path, help="folder of src/ bgr/ pha/, as bgm compose writes")
    parser.add_argument("--every", type=int, default=1, help="score each so many-th scene")
    parser.add_argument("--enlarge", type=int, choices=(1, 2, 4), default=1, help="times")
    parser.add_argument("--base-scale", type=float, help="as base_scale of eval.py")
    parser.add_argument("--backbone-scale", type=float, help="as backbone_scale of eval.py")
    parser.add_argument("--sample-pixels", type=int, help="as sample_pixels of eval.py")
    args = parser.parse_args()
    select = None if args.sample_pixels is None else "sampling"
    options = {"select": select, "sample_pixels": args.sample_pixels}
    options |= {"base_scale": args.base_scale, "backbone_scale": args.backbone_scale}
    model = open_model(args.model, **options)
    modules = model.net.modules() if isinstance(model.net, nn.Module) else ()
    predict, scenes = predict_with(model), Scenes(args.scenes)
    chosen = range(0, len(scenes), args.every)
    per_scene = []
    for index in chosen:
        scene = enlarged(scenes[index], args.enlarge)
        per_scene.append(errors(scene, predict(scene)[0]))
    mean = Errors(*np.mean(per_scene, axis=0))
    # Weights of a training refine as few pixels as its small pictures needed: never compare unseen.
    refined = [m.sample_pixels for m in modules if isinstance(m, Sampling)]
    said = f", {refined[0]:,} pixels of each refined" if refined else ""
    large = f", enlarged {args.enlarge} times" if args.enlarge > 1 else ""
    print(f"{args.model} on {len(per_scene)} scenes of {args.scenes}{large}{said}")
    parts = ", ".join(f"{n} {1e3 * v:.2f}" for n, v in mean._asdict().items() if n in PARTS)
    print(f"MAD x1e3 {1e3 * mean.mad:.2f}: {parts}")
    print(
        f"holes: {mean.holes:.2%} of the inside; {mean.holes_alike:.2%} where shot and plate are "
        f"alike, which {mean.alike:.2%} of it is; specks: {mean.specks:.3%} of where nothing is"
    )
    by_kind: dict[str, list[Errors]] = defaultdict(list)
    kinds = groups(args.scenes, [scenes.names[i] for i in chosen])
    for kind, one in zip(kinds, per_scene, strict=True):
        by_kind[kind].append(one)
    print_group("all of them", per_scene)
    for kind, ones in sorted(by_kind.items()):
        print_group(kind, ones)


def print_group(kind: str, ones: list[Errors]) -> None:
    """Print the metrics of some scenes."""
    mads = [1e3 * one.mad for one in ones]
    grad, conn = (np.mean([getattr(one, name) for one in ones]) for name in ("grad", "conn"))
    middle = f"median {np.median(mads):.2f}, {len(ones)}"
    print(f"  {kind}: MAD {np.mean(mads):.2f} ({middle}), Grad {grad:.2f}, Conn {conn:.2f}")


if __name__ == "__main__":
    main()
