"""Make README's first picture: shot, plate, alpha and the person over another room.

    python benchmarks/people_picture.py SCENES --scene NAME --behind FILE [--columns 130 550]

The shipped picture's: `bgm render rooms=true out=SCENES seed=32 count=3 size=[360,640] samples=12
alpha_samples=96 depth=8 kinds=[person]` with forced.held=nothing forced.headwear=none
forced.pose=relaxed forced.hair=curly forced.shot=bust, scene 0032-000000, columns 160 600,
before bgr/0032-000001.png.

SCENES: src/ and bgr/ as `bgm render rooms=true` writes them. FILE: the room that stands behind the
person at last.
"""

import argparse
from pathlib import Path

from PIL import Image

import bgm

WIDTH = 320  # px of each part
GAP = 4


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, help="folder of src/ and bgr/")
    parser.add_argument("--scene", required=True, help="name of the scene that is matted")
    parser.add_argument("--behind", type=Path, required=True, help="picture of another room")
    parser.add_argument("--columns", type=int, nargs=2, help="that are shown; none: all")
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/people.webp"))
    args = parser.parse_args()
    src, bgr = (Image.open(args.scenes / kind / f"{args.scene}.png") for kind in ("src", "bgr"))
    mattes = bgm.matte(bgm.load(args.model), src.convert("RGB"), bgr.convert("RGB"))
    over = Image.open(args.behind).convert("RGB").resize(src.size)
    over.paste(mattes.com, (0, 0), mattes.com)
    first, last = args.columns or (0, src.width)
    height = round(WIDTH * src.height / (last - first))
    sheet = Image.new("RGB", (4 * (WIDTH + GAP) - GAP, height), "white")
    for i, part in enumerate([src, bgr, mattes.pha, over]):
        shown = part.convert("RGB").crop((first, 0, last, src.height))
        sheet.paste(shown.resize((WIDTH, height), Image.Resampling.LANCZOS), (i * (WIDTH + GAP), 0))
    sheet.save(args.out, quality=88, method=6)


if __name__ == "__main__":
    main()
