"""What `calm` does to mattes of clips: dtSSD and MAD of drawn clips, before and after.

    python benchmarks/calm.py [--clips N] [--frames N] [--calm 0.5 1] [--model FILE]

Every clip is a drawn place behind a drawn subject that sways, 512x288, each frame with noise of its
own (deviation 0.01), the plate with noise too. Printed are means over clips: MAD x1e3, dtSSD x1e2.
"""

import argparse
from fractions import Fraction
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from bgm.compose.drawing import draw
from bgm.infer.any_size import run_any_size
from bgm.infer.frame import Frame, Shot
from bgm.infer.models import open_model
from bgm.infer.steps import Calm

SIZE = (288, 512)
NOISE = 0.01


def clip(seed: int, frames: int) -> list[tuple[Frame, Tensor]]:
    """Frames and their true alpha (H, W)."""
    rng = np.random.default_rng(seed)
    spec = {"seed": seed, "size": list(SIZE)}
    place = draw({"drawn": "place", "mode": "RGB", "time": 0, **spec}).astype(np.float32) / 255

    def noisy(x: np.ndarray) -> Shot:
        x = x + NOISE * rng.normal(size=x.shape).astype(np.float32)
        return Shot(torch.from_numpy((x.clip(0, 1) * 255).round().astype(np.uint8)).movedim(-1, 0))

    plate, found = noisy(place), []
    for time in range(frames):
        subject = draw({"drawn": "subject", "mode": "RGBA", "time": time, **spec}) / np.float32(255)
        pha = subject[..., 3:]
        src = noisy(subject[..., :3] * pha + place * (1 - pha))
        number = Fraction(time, 25)
        found.append((Frame(str(seed), src, plate, number), torch.from_numpy(pha[..., 0].copy())))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--calm", type=float, nargs="+", default=[0.5, 1.0])
    parser.add_argument("--model", default="efficientnet_lite0")
    args = parser.parse_args()
    model = open_model(args.model, optimize=True)
    rows: dict[float, list[tuple[float, float]]] = {strength: [] for strength in (0.0, *args.calm)}
    for seed in range(args.clips):
        frames = clip(seed, args.frames)
        mattes = [
            run_any_size(
                model.net,
                frame.src.input_on(model.device),
                frame.bgr.input_on(model.device),
                scale=model.scale,
            )
            for frame, _ in frames
        ]
        true = [pha.numpy() for _, pha in frames]
        for strength, scores in rows.items():
            step = Calm(strength)
            calmed = [step(frame, m) for (frame, _), m in zip(frames, mattes, strict=True)]
            pred = [m.pha[0, 0].float().cpu().numpy() for m in calmed]
            mad = np.mean([np.abs(p - t).mean() for p, t in zip(pred, true, strict=True)])
            wrong = [p - t for p, t in zip(pred, true, strict=True)]
            # Erofeev et al. 2015, as bgm.metrics has it
            jumps = [np.sqrt(np.mean((b - a) ** 2)) for a, b in pairwise(wrong)]
            scores.append((1e3 * float(mad), 1e2 * float(np.mean(jumps))))
    print("| calm | MAD x1e3 | dtSSD x1e2 |\n| --- | --- | --- |")
    for strength, scores in rows.items():
        mad, change = np.mean(scores, axis=0)
        print(f"| {strength:g} | {mad:.2f} | {change:.2f} |")


if __name__ == "__main__":
    main()
