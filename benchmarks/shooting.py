"""The pictures of docs/shooting.md: what goes wrong at a shoot, and how it looks.

    python benchmarks/shooting.py [--out docs/pictures]

A rendered person (`bgm.people`) stands in a drawn room; the plate is spoilt in one way after the
other, and matted by `bgm.matte` with the network that comes with bgm. A picture is written for each
way: in a row the shot, the plate, and the cut-out over green, once or several times.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import bgm
from bgm.compose.drawing import draw
from bgm.infer.matte import Mattes
from bgm.people import FOLDER

H, W, MARGIN = 360, 480, 16
PERSON, PLACE = "0005-000001", 11
BEHIND = np.array([0, 177, 64], np.float32) / 255
SHOWN = 300  # px, width of a panel
NOISE = 0.006  # deviation in [0, 1]

Picture = NDArray[np.float32]  # (H, W, 3) in [0, 1]


def room() -> Picture:
    """The empty place with a margin around it, (H + 2m, W + 2m, 3)."""
    size = [H + 2 * MARGIN, W + 2 * MARGIN]
    place = draw({"drawn": "place", "mode": "RGB", "seed": PLACE, "size": size, "time": 0})
    return place.astype(np.float32) / 255


def view(place: Picture, right: int = 0, down: int = 0) -> Picture:
    """What a camera sees that stands some pixels aside."""
    return place[MARGIN + down : MARGIN + down + H, MARGIN + right : MARGIN + right + W]


def person() -> NDArray[np.float32]:
    """RGBA (H, W, 4) in [0, 1], standing on the lower border."""
    x = Image.open(FOLDER / f"{PERSON}.webp").convert("RGBA")
    height = round(0.92 * H)
    x = x.resize((round(x.width * height / x.height), height), Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (W, H))
    canvas.paste(x, ((W - x.width) // 2, H - height))
    return np.asarray(canvas, np.float32) / 255


def noisy(x: Picture, seed: int) -> Picture:
    noise = np.random.default_rng(seed).normal(size=x.shape)
    return (x + NOISE * noise).clip(0, 1).astype(np.float32)


def on(place: Picture, subject: NDArray[np.float32], shadow: float = 0.0) -> Picture:
    """The subject before a place, on which its shadow may fall."""
    alpha = subject[..., 3:]
    cast = cv2.GaussianBlur(np.roll(alpha[..., 0], (10, 60), (0, 1)), (0, 0), 9)[..., None]
    return subject[..., :3] * alpha + place * (1 - shadow * cast) * (1 - alpha)


def over_green(mattes: Mattes) -> Picture:
    return mattes.com[..., :3] * mattes.com[..., 3:] + BEHIND * (1 - mattes.com[..., 3:])


def pictures(cut: Callable[..., Picture]) -> dict[str, list[Picture]]:
    """The panels of each picture by its name; cut: shot and plate to the cut-out over green."""
    place, subject = room(), person()
    plate, shot = noisy(view(place), 1), noisy(on(view(place), subject), 2)
    other = (plate * np.array([0.62, 0.7, 0.8], np.float32)).astype(np.float32)
    shadow = noisy(on(view(place), subject, shadow=0.55), 2)
    clothes = np.median(subject[H // 2 :][subject[H // 2 :, :, 3] > 0.9][:, :3], axis=0)
    wall = np.broadcast_to(clothes, view(place).shape) * np.linspace(0.85, 1.1, W)[:, None]
    same = noisy(on(wall.astype(np.float32), subject), 2)
    empty = noisy(wall.astype(np.float32), 1)
    aside = np.zeros_like(subject)
    aside[:, W // 3 :] = subject[:, : -(W // 3)]
    stayed = noisy(on(view(place), aside), 1)
    moved = {px: noisy(view(place, px, px // 2), 1) for px in (2, 6)}
    return {
        "right": [shot, plate, cut(shot, plate)],
        "exposure": [shot, other, cut(shot, other), cut(shot, other, exposure=True)],
        "moved": [
            moved[6],
            cut(shot, moved[2], align=False),
            cut(shot, moved[6], align=False),
            cut(shot, moved[6]),
        ],
        "shadow": [shadow, plate, cut(shadow, plate)],
        "clothes": [same, empty, cut(same, empty)],
        "stayed": [shot, stayed, cut(shot, stayed)],
    }


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    out = parser.parse_args().out
    net = bgm.load("mobilenetv2", optimize=True)
    for name, panels in pictures(
        lambda *pair, **how: over_green(bgm.matte(net, *pair, **how))
    ).items():
        row = Image.fromarray((np.hstack(panels).clip(0, 1) * 255).round().astype(np.uint8))
        row = row.resize((SHOWN * len(panels), SHOWN * H // W), Image.Resampling.LANCZOS)
        row.save(out / f"shooting-{name}.webp", quality=82, method=6)
        print(out / f"shooting-{name}.webp", (out / f"shooting-{name}.webp").stat().st_size)


if __name__ == "__main__":
    main()
