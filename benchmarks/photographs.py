"""Cut the free photographs and light maps that the shipped networks are trained on into views.

    python benchmarks/photographs.py SOURCES OUT [--each 40] [--seed 0]

SOURCES: a folder that holds, at any depth, the files named in `PHOTOGRAPHS` and `MAPS` below (where
they come from, and the commands that fetch them, are in docs/network.md). OUT: a new folder of JPEG
views of at most 512 px and `sources.json`: of each source where it comes from, by whom it is, under
which licence. Light maps (.exr, or .exr.js of npm) need the package OpenEXR.
A view is a function of (seed, the source's name, its number).
"""

import argparse
import base64
import json
import sys
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bgm.errors import BadInput
from bgm.pictures import read_picture

SIDE = 512  # px, of the largest views
SHARP = 1.5  # camera pixels a pixel of a view: cameras' own are soft, and teach that places are
LOMIRI = "Debian's lomiri-wallpapers-16.04"
PHOTOGRAPHS = {  # name of the file: (source, author, licence)
    "aitzgorri_by_Aitzol_Berasategi.jpg": (LOMIRI, "Aitzol Berasategi", "CC-BY-4.0"),
    "friends_by_Aitzol_Berasategi.jpg": (LOMIRI, "Aitzol Berasategi", "CC-BY-4.0"),
    "life_by_Aitzol_Berasategi.jpg": (LOMIRI, "Aitzol Berasategi", "CC-BY-4.0"),
    "picosdeeuropa_by_Aitzol_Berasategi.jpg": (LOMIRI, "Aitzol Berasategi", "CC-BY-4.0"),
    "sunset_by_Aitzol_Berasategi.jpg": (LOMIRI, "Aitzol Berasategi", "CC-BY-4.0"),
    "Picture_0B_by_freespace.jpg": (LOMIRI, "Trevor 'Freespace'", "CC-BY-4.0"),
    "Picture_1A_by_freespace.jpg": (LOMIRI, "Trevor 'Freespace'", "CC-BY-4.0"),
    "seeding_by_Clements_Engelhardt.jpg": (LOMIRI, "Clemens Engelhardt", "CC0-1.0"),
    "umang_by_Abhishek_Mudgal.jpg": (LOMIRI, "Abhishek Mudgal", "CC-BY-4.0"),
    "Wine_by_Jakkub_Mede.jpg": (LOMIRI, "Jakub Mede", "CC-BY-4.0"),
    "china.jpg": ("scikit-learn", "danielbuechele", "CC-BY-2.0"),
    "flower.jpg": ("scikit-learn", "vultilion", "CC-BY-2.0"),
    "brick.png": ("scikit-image", "CC0Textures", "CC0-1.0"),
    "grass.png": ("scikit-image", "Poly Haven", "CC0-1.0"),
    "gravel.png": ("scikit-image", "CC0Textures", "CC0-1.0"),
    "coffee.png": ("scikit-image", "Rachel Michetti", "CC0-1.0"),
    "rocket.jpg": ("scikit-image", "SpaceX", "public domain"),
}
BLENDER = ("Blender's wheel, studiolights/world", "Greg Zaal, Poly Haven", "CC0-1.0")
PMNDRS = ("npm @pmndrs/assets", "Poly Haven", "CC0-1.0")
OF_BLENDER = """city courtyard forest interior night studio sunrise sunset"""
OF_PMNDRS = """apartment bridge city dawn esplanade forest hall lab lobby night park sky studio
    sunrise sunset venice warehouse workshop"""
MAPS = {f"{name}.exr": BLENDER for name in OF_BLENDER.split()}
MAPS |= {f"{name}.exr.js": PMNDRS for name in OF_PMNDRS.split()}


def rng_of(seed: int, name: str, number: int) -> np.random.Generator:
    """The generator of one view."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])


def crop_of(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A square part of a photograph, large enough to be made smaller: sharp to the pixel."""
    short = min(picture.size)
    least = min(short, round(SHARP * SIDE))
    side = round(short * np.exp(rng.uniform(np.log(least / short), 0)))
    left, top = (int(rng.integers(length - side + 1)) for length in picture.size)
    size = min(side, SIDE)
    box = (left, top, left + side, top + side)
    return picture.resize((size, size), Image.Resampling.LANCZOS, box=box)


def read_map(path: Path) -> np.ndarray:
    """A light map (H, 2H, 3), linear float32."""
    try:
        import OpenEXR
    except ImportError:
        raise BadInput(f"{path} needs the package OpenEXR: pip install OpenEXR") from None
    with tempfile.TemporaryDirectory() as folder:
        if path.suffix == ".js":
            encoded = path.read_text().split("base64,")[1].split("'")[0]
            path = Path(folder) / "map.exr"
            path.write_bytes(base64.b64decode(encoded))
        with OpenEXR.File(str(path)) as file:
            light = np.asarray(file.channels()["RGB"].pixels, np.float32)
    # Compression rings around lamps, down to values below 0: there the brightest neighbour's.
    return np.where(light > 0, light, cv2.dilate(light, np.ones((5, 5), np.uint8)).clip(1e-4))


def view_of(light: np.ndarray, rng: np.random.Generator) -> Image.Image:
    """What a camera sees that stands in a light map: 60 to 100 degrees wide, near the horizon."""
    height, width = light.shape[:2]
    half = np.tan(np.radians(rng.uniform(60, 100)) / 2)
    yaw, pitch = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(-18, 18))
    size = max(192, min(SIDE, 2 * round(height * np.arctan(half) / np.pi) * 2))
    y, x = np.meshgrid(*[np.linspace(-half, half, size)] * 2, indexing="ij")
    up = -y * np.cos(pitch) + np.sin(pitch)
    ahead = np.cos(pitch) + y * np.sin(pitch)
    column = ((np.arctan2(x, ahead) + yaw) / (2 * np.pi) % 1) * width - 0.5
    row = (0.5 - np.arctan2(up, np.hypot(x, ahead)) / np.pi) * height - 0.5
    part = sampled(light, row.clip(0, height - 1), column)
    # An exposure for what is seen, at random by up to a stop, and a shoulder for lamps and sky.
    part = part * (0.35 * 2 ** rng.uniform(-1, 1) / max(np.median(part), 1e-3))
    part = np.where(part > 0.7, 1 - 0.3 * np.exp(-(part - 0.7) / 0.3), part).clip(0, 1)
    encoded = np.where(part < 0.0031308, 12.92 * part, 1.055 * part ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.rint(255 * encoded).astype(np.uint8))


def sampled(light: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Bilinear samples of a map that closes upon itself sideways."""
    height, width = light.shape[:2]
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = (row - top)[..., None], (column - left)[..., None]
    rows = [top.clip(0, height - 1), (top + 1).clip(0, height - 1)]
    columns = [left % width, (left + 1) % width]
    above, below = (light[r, columns[0]] * (1 - right) + light[r, columns[1]] * right for r in rows)
    return above * (1 - down) + below * down


def main(sources: Path, folder: Path, each: int, seed: int) -> None:
    """Write the views of all sources."""
    there = {path.name: path for path in sorted(sources.rglob("*")) if path.is_file()}
    wanted = PHOTOGRAPHS | MAPS
    if missing := sorted(set(wanted) - set(there)):
        raise BadInput(f"{sources} lacks {len(missing)} sources: {', '.join(missing)}")
    if folder.exists():
        raise BadInput(f"{folder} exists already: name a new folder")
    folder.mkdir(parents=True)
    for name in wanted:
        source = read_map(there[name]) if name in MAPS else photograph(there[name])
        view = view_of if name in MAPS else crop_of
        stem = name.replace(".", "_")
        for number in range(each):
            picture = view(source, rng_of(seed, name, number))
            picture.save(folder / f"{stem}-{number:03d}.jpg", quality=93)
    rows = {
        n: dict(zip(("source", "author", "licence"), w, strict=True)) for n, w in wanted.items()
    }
    about = {"each": each, "seed": seed, "sources": rows}
    (folder / "sources.json").write_text(json.dumps(about, indent=1) + "\n")
    print(f"{len(wanted) * each} views of {len(wanted)} sources in {folder}")


def photograph(path: Path) -> Image.Image:
    """A photograph, its short side at most 2048 px."""
    picture = Image.fromarray(read_picture(path, "RGB").permute(1, 2, 0).contiguous().numpy())
    picture.thumbnail((4 * SIDE * 2, 4 * SIDE))
    return picture


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", type=Path)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--each", type=int, default=40, help="views a source")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        main(args.sources, args.out, args.each, args.seed)
    except BadInput as error:
        sys.exit(str(error))
