"""How well plates are moved onto their shots: known movements, and what the network makes of it.

    python benchmarks/alignment.py [--cases N] [--photographs FOLDER] [--mad SCENES]

Every case is a place seen twice, the second time by a camera that moved by up to 3 % of the
picture's width and turned by up to 2 degrees, under another exposure and white balance, both with
noise, with a drawn subject in the shot. Printed are, for drawn places and for the photographs in
FOLDER/bgr (subjects: FOLDER/fgr and FOLDER/pha), the cases whose error is below 0.5 px in the mean
over the picture, the error's median and 95th percentile, what was kept unmoved, and the seconds.
Then 100 wrong plates: of these none may be moved. With --mad (scenes as `bgm compose` writes them):
MAD x1e3 of the network that comes with bgm with plates 0 to 4 px out of place, align=false against
align=auto.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgm.compose.drawing import draw
from bgm.infer.plate.align import align

SHIFT = 0.03  # of the width
DEGREES = 2.0
MARGIN = 0.08  # of the width: a camera that moves sees what lies beyond the plate
NOISE = 0.008  # deviation in [0, 1]


class Case(NamedTuple):
    """A shot, its plate out of place, and the movement between them."""

    src: Tensor  # (3, H, W) float in [0, 1]
    bgr: Tensor  # (3, H, W)
    truth: NDArray[np.float64]  # (3, 3), plate px -> shot px


def drawn_case(seed: int, size: tuple[int, int] = (540, 960)) -> Case:
    """A drawn place and a drawn subject."""
    margin = round(MARGIN * size[1])
    around = [side + 2 * margin for side in size]
    place = draw({"drawn": "place", "mode": "RGB", "seed": seed, "size": around, "time": 0})
    subject = draw(
        {"drawn": "subject", "mode": "RGBA", "seed": seed, "size": list(size), "time": 0}
    )
    return make_case(seed, place, subject)


def photograph_case(seed: int, folder: Path, size: tuple[int, int] = (540, 960)) -> Case:
    """A photograph and a photographed subject, each scaled to cover the frame."""
    margin = round(MARGIN * size[1])
    places, mattes = sorted((folder / "bgr").iterdir()), sorted((folder / "pha").iterdir())
    place = _covering(places[seed % len(places)], [side + 2 * margin for side in size])
    matte = mattes[seed % len(mattes)]
    pha = _covering(matte, size)[..., :1]
    fgr = _covering(next((folder / "fgr").glob(f"{matte.stem}.*")), size)
    return make_case(seed, place, np.concatenate([fgr, pha], axis=-1))


def make_case(seed: int, place: NDArray[np.uint8], subject: NDArray[np.uint8]) -> Case:
    """A place (H + 2m, W + 2m, 3) and a subject (H, W, 4), as two cameras see them."""
    rng = np.random.default_rng(seed)
    H, W = subject.shape[:2]
    margin = (place.shape[1] - W) // 2
    way, direction = SHIFT * W * np.sqrt(rng.random()), rng.random() * 2 * np.pi
    turn = cv2.getRotationMatrix2D((W / 2, H / 2), rng.uniform(-DEGREES, DEGREES), 1.0)
    truth = np.vstack([turn, [0, 0, 1]])
    truth[:2, 2] += way * np.cos(direction), way * np.sin(direction)
    there = np.array([[1, 0, -margin], [0, 1, -margin], [0, 0, 1.0]])
    world = place.astype(np.float32) / 255
    plate = world[margin : margin + H, margin : margin + W]
    seen = cv2.warpPerspective(world, truth @ there, (W, H), flags=cv2.INTER_CUBIC)
    alpha = subject[..., 3:].astype(np.float32) / 255
    shot = subject[..., :3].astype(np.float32) / 255 * alpha + seen * (1 - alpha)
    gains = rng.uniform(0.75, 1.3) * rng.uniform(0.93, 1.07, 3).astype(np.float32)
    pictures = [(shot * gains).astype(np.float32), plate]
    noisy = [x + NOISE * rng.normal(size=x.shape).astype(np.float32) for x in pictures]
    src, bgr = (torch.from_numpy(x.clip(0, 1).transpose(2, 0, 1).copy()) for x in noisy)
    return Case(src, bgr, truth)


def error_px(found: NDArray, truth: NDArray, size: tuple[int, int]) -> float:
    """Mean distance in px, over the picture, between where two movements bring a pixel."""
    H, W = size
    y, x = np.mgrid[0 : H - 1 : 24j, 0 : W - 1 : 24j]
    points = np.stack([x.ravel(), y.ravel()], axis=-1)[None]
    a, b = (np.asarray(cv2.perspectiveTransform(points, m)) for m in (found, truth))
    return float(np.linalg.norm(a - b, axis=-1).mean())


def _covering(path: Path, size) -> NDArray[np.uint8]:
    """A picture file scaled to cover size = (H, W), and cropped at its centre."""
    x = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    (h, w), (H, W) = x.shape[:2], size
    factor = max(H / h, W / w)
    shape = (max(round(w * factor), W), max(round(h * factor), H))
    x = cv2.resize(x, shape, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    top, left = (x.shape[0] - H) // 2, (x.shape[1] - W) // 2
    return x[top : top + H, left : left + W]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--photographs", type=Path, help="folder of bgr/ fgr/ pha/")
    args = parser.parse_args()
    kinds = {"drawn": drawn_case}
    if args.photographs:
        kinds["photographs"] = lambda seed: photograph_case(seed, args.photographs)
    for kind, make in kinds.items():
        errors, kept, seconds = [], 0, []
        for seed in range(args.cases):
            case = make(seed)
            start = time.perf_counter()
            found = align((case.src * 255).round().byte(), (case.bgr * 255).round().byte())
            seconds.append(time.perf_counter() - start)
            errors.append(error_px(found.homography, case.truth, case.src.shape[-2:]))
            kept += found.kept
            if errors[-1] > 0.5:
                print(kind, seed, round(errors[-1], 2), found.reason)
        e = np.array(errors)
        print(
            kind,
            len(e),
            "good",
            (e < 0.5).mean(),
            "median",
            np.median(e),
            "p95",
            np.percentile(e, 95),
            "kept",
            kept,
            "s",
            np.median(seconds),
        )


if __name__ == "__main__":
    main()
