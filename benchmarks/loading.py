"""Samples a second of our loading against a plain Pillow pipeline that makes the same crops.

    python benchmarks/loading.py [--rounds 4] [word ...]      only rows that have all these words

One subject (fgr and pha) and one background make a sample, of 1080p and 4K files made on the fly
from procedural pictures with a camera's noise. The plain pipeline opens, converts, resizes the
short side to the crop's (antialiased), cuts the centred square and makes tensors. Ours does more
(alpha as weight, colours spread outwards, the whole picture kept for the augmentation to move).
"packed" reads shards that `bgm pack size=CROP` made of the same files before.
The two alternate on one thread, so that a busy machine slows both; times are CPU time.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from bgm.augment import Augment
from bgm.augment.geometry import Affine
from bgm.augment.photometry import ColourJitter, Noise
from bgm.data.composites import collate
from bgm.data.folders import Backgrounds, Subjects
from bgm.data.interfaces import split
from bgm.data.procedural import Procedural
from bgm.data.resizing import cover_square, resize_subject
from bgm.data.shards import pack, write_shards
from bgm.pictures import to_tensor
from bgm.types import Sample

SIZES = {"1080p": (1080, 1920), "4K": (2160, 3840)}
FORMATS = {"jpg + jpg": ("jpg", "jpg"), "jpg + png": ("jpg", "png"), "png + png": ("png", "png")}
CROPS = (512, 2048)
QUALITY = 95


def write_pictures(root: Path, size: tuple[int, int]) -> None:
    """root/{filled,black}/{fgr,pha}/a.{jpg,png} and root/bgr/a.jpg of one procedural scene."""
    scene, rng = Procedural(size, 100, 0)[10], np.random.default_rng(0)

    def shot(x: torch.Tensor) -> np.ndarray:
        grain = rng.standard_normal((*size, 3), np.float32) * 3
        return np.clip(x.permute(1, 2, 0).numpy() + grain, 0, 255).astype(np.uint8)

    fgr, bgr, pha = shot(scene.fgr), shot(scene.bgr), scene.pha[0].numpy()
    black = np.where(pha[..., None] > 0, fgr, 0)
    for name, array in {"filled": fgr, "black": black, "pha": pha, "bgr": bgr}.items():
        for suffix in ("jpg", "png"):
            Image.fromarray(array).save(root / f"{name}.{suffix}", quality=QUALITY)


def laid_out(root: Path, outside: str, fgr: str, pha: str) -> tuple[Subjects, Backgrounds]:
    """The pictures as folders of one subject and one background."""
    base = root / f"{outside}-{fgr}-{pha}"
    names = {"fgr": f"{outside}.{fgr}", "pha": f"pha.{pha}", "bgr": "bgr.jpg"}
    for kind, name in names.items():
        (base / kind).mkdir(parents=True)
        (base / kind / f"a.{name[-3:]}").symlink_to(root / name)
    return Subjects(base), Backgrounds(base / "bgr")


def packed(data: tuple[Subjects, Backgrounds], folder: Path, short: int) -> tuple:
    """The same subject and background out of shards that were reduced for crops of short."""
    for kind, pictures in zip(("train", "bgr"), data, strict=True):
        write_shards(folder / kind, pack(pictures, short, QUALITY), 1 << 28)
    return Subjects(folder / "train"), Backgrounds(folder / "bgr")


def plain(files: list[str], short: int) -> list[torch.Tensor]:
    """What a dataset does that knows Pillow and nothing else."""
    tensors = []
    for path, mode in zip(files, ("RGB", "L", "RGB"), strict=True):
        image = Image.open(path).convert(mode)
        W, H = image.size
        w, h = round(W * short / min(W, H)), round(H * short / min(W, H))
        image = image.resize((w, h), Image.Resampling.BILINEAR)
        left, top = (w - short) // 2, (h - short) // 2
        array = np.array(image.crop((left, top, left + short, top + short)))
        tensors.append(torch.from_numpy(array.reshape(short, short, -1)).permute(2, 0, 1))
    return [x.contiguous() for x in tensors]


def stages(
    subjects: Subjects, backgrounds: Backgrounds, short: int
) -> dict[str, Callable[[dict], None]]:
    """Our loading in steps that leave their results in one dict."""

    def decode(x: dict) -> None:
        x["subject"] = subjects.open(0, short)
        x["place"] = backgrounds.open(0, short)

    def resize(x: dict) -> None:
        x["subject"] = resize_subject(x["subject"], short)
        x["place"] = cover_square(x["place"], short)

    def copy(x: dict) -> None:
        pha, fgr = split(x["subject"])
        one = Sample(pha, fgr, to_tensor(x["place"]), torch.tensor(True), torch.tensor(0))
        x["batch"] = collate([one])

    return {"decode": decode, "resize": resize, "copy": copy}


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(
    files: list[str], data: tuple[Subjects, Backgrounds], short: int, rounds: int
) -> list[float]:
    """Seconds a sample, best of the rounds: plain, ours, and our decode, resize, copy, augment."""
    steps = stages(*data, short)
    augment = recipe(short)
    x: dict = {}
    work = [lambda: plain(files, short)]
    work += [lambda step=step: step(x) for step in steps.values()]
    rows = [[seconds(w) for w in work] for _ in range(rounds + 1)]  # the first one warms up
    best = np.array(rows[1:]).min(axis=0)
    return [best[0], best[1:].sum(), *best[1:], seconds(lambda: augment(x["batch"]))]


def cases(root: Path, label: str, words: list[str]) -> Iterator[tuple[list[str], list, tuple, int]]:
    """(what it is, files, our data of them, crop) of every row that has the words."""
    for form, suffixes in FORMATS.items():
        for outside in ("filled", "black"):
            data = laid_out(root, outside, *suffixes)
            files = [paths[0] for source in data for paths in source.files.values()]
            for crop in CROPS:
                for kind in ("files", "packed"):
                    what = [label, form, outside, kind, str(crop)]
                    if not set(words) <= {*what, *suffixes}:
                        continue
                    folder = root / "-".join(what).replace(" ", "")
                    yield what, files, data if kind == "files" else packed(data, folder, crop), crop


def recipe(size: int) -> Augment:
    """The main ingredients of the released recipe; on a GPU they cost a worker nothing."""
    affine = {"p": 1.0, "degrees": 5.0, "translate": 0.1, "shear": 5.0, "flip": 0.5}
    return Augment(
        size,
        fgr_affine=Affine(scale=(0.4, 1.0), **affine),
        bgr_affine=Affine(scale=(1.0, 2.0), **affine),
        jitter=ColourJitter(p=1.0, brightness=0.15, contrast=0.15, saturation=0.15, hue=0.05),
        noise=Noise(p=0.4, std=0.03),
    )


def main(rounds: int, words: list[str]) -> None:
    """Print samples a second of both and their ratio, and where our time goes."""
    torch.set_num_threads(1)
    console = Console(width=max(Console().width, 120))
    table = Table(
        "files", "fgr + pha", "outside", "ours from", "crop", "plain/s", "ours/s", "ratio"
    )
    for name in ("decode ms", "resize ms", "copy ms", "augment ms"):
        table.add_column(name, justify="right")
    with tempfile.TemporaryDirectory() as temporary:
        for label, size in SIZES.items():
            if set(words) & (SIZES.keys() - {label}):
                continue
            root = Path(temporary) / label
            root.mkdir()
            write_pictures(root, size)
            for what, files, data, crop in cases(root, label, words):
                times = measure(files, data, crop, rounds)
                pace = [f"{1 / t:.2f}" for t in times[:2]]
                ratio = f"{times[0] / times[1]:.2f}"
                parts = [f"{1000 * t:.0f}" for t in times[2:]]
                print(*what, *pace, ratio, *parts, sep="  ", file=sys.stderr, flush=True)
                table.add_row(*what, *pace, ratio, *parts)
    console.print(table)
    console.print(f"best of {rounds} rounds, CPU time of one thread; ours/s without augmentation")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=4, help="of which the best counts")
    parser.add_argument("words", nargs="*", help="only rows with all of them, such as 4K jpg 512")
    given = parser.parse_args()
    main(given.rounds, given.words)
