"""How well plates are moved onto their shots: known movements, and what the network makes of it.

    python benchmarks/alignment.py [--cases N] [--photographs FOLDER] [--mad N] [--scenes FOLDER]

Every case is a place seen twice, the second time by a camera that moved by up to 3 % of the
picture's width and turned by up to 2 degrees, under another exposure and white balance, both with
noise, with a drawn subject in the shot. Printed are, for drawn places and for the photographs in
FOLDER/bgr (subjects: FOLDER/fgr and FOLDER/pha), the cases whose error is below 0.5 px in the mean
over the picture, the error's median, the cases that failed and said so, those that are wrong
without a word, and seconds of one core. Then MAD x1e3 of a network that comes with bgm with
align=false and with align=auto: on N drawn scenes, their plates 0 to 4 px out of place, and on the
composed ones in FOLDER (src/ bgr/ pha/, as bgm compose writes them).
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgm.compose.drawing import draw
from bgm.data import Scenes
from bgm.eval.robustness import DIRECTIONS
from bgm.infer.any_size import run_any_size
from bgm.infer.frame import Frame, Shot
from bgm.infer.models import Model, open_model
from bgm.infer.plate.align import align
from bgm.infer.plate.fixes import AlignPlate
from bgm.pictures import to_uint8

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


def error_px(found: NDArray, truth: NDArray, size: Sequence[int]) -> float:
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
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--photographs", type=Path, help="folder of bgr/ fgr/ pha/")
    parser.add_argument("--mad", type=int, default=8, help="drawn scenes whose MAD is measured")
    parser.add_argument("--scenes", type=Path, help="composed scenes whose MAD is measured")
    parser.add_argument("--every", type=int, default=1, help="of these take each so many-th")
    parser.add_argument("--model", default="efficientnet_lite0", help="whose MAD it is")
    args = parser.parse_args()
    kinds: dict[str, Callable[[int], Case]] = {"drawn": drawn_case}
    if folder := args.photographs:
        kinds["photographs"] = lambda seed: photograph_case(seed, folder)
    if args.cases:
        print("| pictures | cases | below 0.5 px | median px | failed, said | wrong, unsaid | s |")
        print("| --- " * 7 + "|")
    for kind, make in kinds.items() if args.cases else ():
        print_recovery(kind, make, args.cases)
    model = open_model(args.model, optimize=True)
    if args.mad:
        print_drawn(args.mad, model)
    if args.scenes:
        print_composed(args.scenes, args.every, model)


def print_recovery(kind: str, make: Callable[[int], Case], cases: int) -> None:
    """One row: known movements, and plates of other places, of which none may be moved."""
    errors, seconds, failed, wrong = [], [], 0, 0
    for seed in range(cases):
        case = make(seed)
        src, bgr = to_uint8(case.src), to_uint8(case.bgr)
        start = time.process_time()
        found = align(src, bgr)
        seconds.append(time.process_time() - start)
        errors.append(error_px(found.homography, case.truth, case.src.shape[-2:]))
        failed += found.failed
        wrong += errors[-1] > 0.5 and not found.failed
    good = np.mean(np.array(errors) < 0.5)
    print(
        f"| {kind} | {cases} | {good:.1%} | {np.median(errors):.3f} | {failed} | {wrong} |"
        f" {np.median(seconds):.2f} |",
        flush=True,
    )


def print_drawn(scenes: int, model: Model) -> None:
    """MAD x1e3 of a network on drawn scenes, plates out of place by 0 to 4 px."""
    print("\n| plate off by, px | align=false | align=auto |\n| --- | --- | --- |")
    totals = []
    for px in range(5):
        mads = [both_mads(model, *shifted_scene(seed, px)) for seed in range(scenes)]
        totals.append(np.mean(mads, axis=0))
        print(f"| {px} | {totals[-1][0]:.2f} | {totals[-1][1]:.2f} |", flush=True)
    none, auto = np.mean(totals, axis=0)
    print(f"| mean | {none:.2f} | {auto:.2f} |")


def print_composed(folder: Path, every: int, model: Model) -> None:
    """The same on composed scenes, and on how many of them it is worse by more than 1 %."""
    scenes = Scenes(folder)
    mads = []
    for index in range(0, len(scenes), every):
        scene = scenes[index]
        src, bgr = (Shot(to_uint8(x)) for x in (scene.src, scene.bgr))
        mads.append(both_mads(model, Frame(str(index), src, bgr), scene.pha[0]))
    none, auto = np.mean(mads, axis=0)
    worse = sum(b > 1.01 * a for a, b in mads)
    print(f"\n| composed scenes | align=false | align=auto | auto worse by 1 % |\n{'| --- ' * 4}|")
    print(f"| {len(mads)} | {none:.2f} | {auto:.2f} | {worse} |")


def both_mads(model: Model, frame: Frame, true: Tensor) -> list[float]:
    """MAD x1e3 with the plate as it is, and as align=auto has it. true: (H, W)."""
    mads = []
    for bgr in (frame.bgr, AlignPlate()(frame)[0]):
        inputs = (x.input_on(model.device) for x in (frame.src, bgr))
        pha = run_any_size(model.net, *inputs, scale=model.scale).pha[0, 0]
        mads.append(1e3 * (pha.cpu() - true).abs().mean().item())
    return mads


def shifted_scene(seed: int, px: int, size: tuple[int, int] = (360, 640)) -> tuple[Frame, Tensor]:
    """A drawn scene whose plate's camera stood `px` px away, and its true alpha (H, W)."""
    rng = np.random.default_rng(seed)
    spec = {"seed": seed, "time": 0}
    place = draw({"drawn": "place", "mode": "RGB", "size": [s + 16 for s in size], **spec})
    subject = draw({"drawn": "subject", "mode": "RGBA", "size": list(size), **spec})
    down, right = DIRECTIONS[int(rng.integers(4))]
    H, W = size
    views = [
        place[8 + y : 8 + y + H, 8 + x : 8 + x + W].astype(np.float32) / 255
        for y, x in ((0, 0), (px * down, px * right))
    ]
    pha = subject[..., 3:].astype(np.float32) / 255
    shot = subject[..., :3].astype(np.float32) / 255 * pha + views[0] * (1 - pha)
    noisy = [x + NOISE * rng.normal(size=x.shape).astype(np.float32) for x in (shot, views[1])]
    src, bgr = (Shot(to_uint8(torch.from_numpy(x.transpose(2, 0, 1).copy()))) for x in noisy)
    return Frame(str(seed), src, bgr), torch.from_numpy(pha[..., 0].copy())


if __name__ == "__main__":
    main()
