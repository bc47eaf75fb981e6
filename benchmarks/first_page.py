"""Make the pictures of README's first page from scenes that `bgm render rooms=true` wrote.

    python benchmarks/first_page.py SCENES --scene NAME --place NAME --out docs/pictures

people.webp: shot, plate, alpha, and the subject over the plate of another scene (--place).
refinement.webp: where the truth has most soft pixels, at pixel size enlarged: the shot, the coarse
alpha as the refiner gets it, the refined one, the truth, and under each its mean error x1e3 there.
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

WIDTH = 480  # px, of each picture of people.webp
PART = 96  # px, of what refinement.webp shows
ENLARGED = 4
GAP = 4
CAPTION = 18  # px, below each part


def row(pictures: list[Image.Image], captions: list[str] | None = None) -> Image.Image:
    """Pictures of one size side by side on white, captions under them."""
    w, h = pictures[0].size
    size = (len(pictures) * (w + GAP) - GAP, h + (CAPTION if captions else 0))
    sheet = Image.new("RGB", size, "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture.convert("RGB"), (i * (w + GAP), 0))
    for i, caption in enumerate(captions or ()):
        ImageDraw.Draw(sheet).text((i * (w + GAP), h + 3), caption, fill="black")
    return sheet


def softest(pha: np.ndarray) -> tuple[int, int]:
    """Top and left of the square of PART px that holds most soft pixels of pha (H, W)."""
    soft = torch.from_numpy(((pha > 0.05) & (pha < 0.95)).astype(np.float32))[None, None]
    counts = F.avg_pool2d(soft, PART, stride=8)[0, 0]
    best = int(counts.argmax())
    return best // counts.shape[1] * 8, best % counts.shape[1] * 8


@torch.inference_mode()
def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, help="folder of src/ bgr/ pha/ fgr/")
    parser.add_argument("--scene", required=True, help="name of the scene to matte")
    parser.add_argument("--place", required=True, help="name of the scene to put the subject into")
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    args = parser.parse_args()
    scenes, net = Scenes(args.scenes), bgm.load(args.model)
    scene, other = (scenes[scenes.names.index(name)] for name in (args.scene, args.place))
    src, bgr, place = (to_image(to_uint8(x)) for x in (scene.src, scene.bgr, other.bgr))
    mattes = bgm.matte(net, src, bgr)
    place = place.resize(src.size, Image.Resampling.LANCZOS)
    place.paste(mattes.com, (0, 0), mattes.com)
    small = (WIDTH, round(WIDTH * src.height / src.width))
    shown = [x.resize(small, Image.Resampling.LANCZOS) for x in (src, bgr, mattes.pha, place)]
    row(shown).save(args.out / "people.webp", quality=88, method=6)

    out = net(scene.src[None], scene.bgr[None])
    coarse = F.interpolate(out.pha_sm, scene.src.shape[-2:], mode="bilinear")[0, 0]
    truth = scene.pha[0].numpy()
    top, left = softest(truth)
    box = (left, top, left + PART, top + PART)
    parts, captions = [src.crop(box)], ["shot"]
    names = ("coarse", "refined", "truth")
    for name, pha in zip(names, (coarse, out.pha[0, 0].clamp(0, 1), scene.pha[0]), strict=True):
        error = 1e3 * np.abs(pha.numpy() - truth)[top : top + PART, left : left + PART].mean()
        parts.append(to_image(to_uint8(pha[None])).crop(box))
        captions.append(name if name == "truth" else f"{name}: error {error:.0f}e-3")
    large = [x.resize((ENLARGED * PART,) * 2, Image.Resampling.NEAREST) for x in parts]
    row(large, captions).save(args.out / "refinement.webp", lossless=True)
    print(args.out / "people.webp", args.out / "refinement.webp", sep="\n")


if __name__ == "__main__":
    main()
