"""Make README's picture of what refinement does, at pixel size, from a finished scene.

    python benchmarks/refinement_picture.py SCENES --scene NAME --out docs/pictures/refinement.webp

Shows the square where the truth has most soft pixels, enlarged without smoothing: the shot, the
coarse alpha as the refiner gets it, the refined one and the truth, and under each its mean error
x1e3 in that square.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

import bgm
from bgm.data import Scenes
from bgm.pictures import to_image, to_uint8

PART = 96  # px, the side of the square
ENLARGED = 3
GAP = 4
CAPTION = 18  # px, below each part


def row(pictures: list[Image.Image], captions: list[str]) -> Image.Image:
    """Pictures of one size side by side on white, captions under them."""
    w, h = pictures[0].size
    sheet = Image.new("RGB", (len(pictures) * (w + GAP) - GAP, h + CAPTION), "white")
    for i, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        sheet.paste(picture.convert("RGB"), (i * (w + GAP), 0))
        ImageDraw.Draw(sheet).text((i * (w + GAP) + 2, h + 3), caption, fill="black")
    return sheet


def softest(pha: torch.Tensor) -> tuple[int, int]:
    """Top and left of the square of PART px that holds most soft pixels of pha (1, H, W)."""
    soft = ((pha > 0.05) & (pha < 0.95)).float()[None]
    counts = F.avg_pool2d(soft, PART, stride=8)[0, 0]
    best = int(counts.argmax())
    return best // counts.shape[1] * 8, best % counts.shape[1] * 8


@torch.inference_mode()
def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, help="folder of src/ bgr/ pha/")
    parser.add_argument("--scene", required=True, help="name of the scene")
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/refinement.webp"))
    args = parser.parse_args()
    scenes, net = Scenes(args.scenes), bgm.load(args.model)
    scene = scenes[scenes.names.index(args.scene)]
    H, W = (side // 4 * 4 for side in scene.src.shape[-2:])
    src, bgr, truth = (x[:, :H, :W] for x in scene[:3])
    out = net(src[None], bgr[None])
    coarse = F.interpolate(out.pha_sm, [H, W], mode="bilinear")[0]
    top, left = softest(truth)
    area = np.s_[:, top : top + PART, left : left + PART]
    parts, captions = [src[area]], ["shot"]
    for name, pha in (("coarse", coarse), ("refined", out.pha[0].clamp(0, 1)), ("truth", truth)):
        error = 1e3 * (pha[area] - truth[area]).abs().mean().item()
        parts.append(pha[area])
        captions.append(name if name == "truth" else f"{name}: error {error:.0f}e-3")
    size = (ENLARGED * PART, ENLARGED * PART)
    shown = [to_image(to_uint8(x)).resize(size, Image.Resampling.NEAREST) for x in parts]
    row(shown, captions).save(args.out, lossless=True, method=6)
    print(args.out)


if __name__ == "__main__":
    main()
