"""Compose the scenes of a manifest to files, and check them later."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bgm.compose.benchmark_sources import changed_sources, describe_changes, source_reader
from bgm.compose.manifest import Manifest, Recipe, Scene, list_names, pixel_digest, write
from bgm.compose.perturbation import perturb
from bgm.errors import BadInput
from bgm.files import atomic_folder
from bgm.pictures import open_image, walk_files, write_png
from bgm.trimap import trimap_of

MANIFEST = "manifest.json"
Array = NDArray[np.uint8]
Read = Callable[[str], Array]


def render(scene: Scene, recipe: Recipe, read_source: Read) -> dict[str, Array]:
    """The pictures of one scene, uint8: src, bgr (the plate), fgr (H, W, 3), pha, trimap (H, W)."""
    fgr, pha = _subject(scene, recipe, read_source)
    true_bgr = _background(scene, read_source(scene.bgr))
    blend = {"round": blend_rounded, "floor": blend_floored}[recipe.blend]
    plate = true_bgr if scene.plate is None else perturb(true_bgr, scene.plate)
    pictures = {"src": blend(fgr, pha, true_bgr), "bgr": plate, "pha": pha, "fgr": fgr}
    if recipe.trimap is not None:
        pictures["trimap"] = trimap_of(pha, **recipe.trimap)
    return pictures


def blend_rounded(fgr: Array, pha: Array, bgr: Array) -> Array:
    """fgr * a + bgr * (1 - a), rounded to the nearest level, in integers."""
    a = pha.astype(np.int32)[..., None]
    return ((fgr * a + bgr * (255 - a) + 127) // 255).astype(np.uint8)


def blend_floored(fgr: Array, pha: Array, bgr: Array) -> Array:
    """uint8(fgr * a + bgr * (1 - a)) as RobustVideoMatting has it, truncated.

    In float64, one operation at a time: IEEE 754 fixes every result, and RVM's own are these (in
    integers a level of, say, 7 * a + 7 * (1 - a) would be 7, where floats may give 6.999...).
    """
    a = pha.astype(np.float64)[..., None] / 255
    return (fgr * a + bgr * (1 - a)).astype(np.uint8)


def resize(x: NDArray, size: tuple[int, int]) -> NDArray:
    """Resize (h, w), uint8 or int32, or (h, w, 3) uint8 to size = (H, W): bilinear, antialiased."""
    picture = Image.fromarray(np.ascontiguousarray(x))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR))


def resize_weighted(fgr: Array, pha: Array, size: tuple[int, int]) -> tuple[Array, Array]:
    """Resize colours (h, w, 3) with alpha (h, w) as their weight, and alpha, to size = (H, W).

    What lies outside the subject does not bleed in; where alpha stays 0 colours are plain averages.
    Products have 16 bits here: Pillow's own "RGBa" has 8, which say little at a faint alpha.
    """
    if fgr.shape[:2] == size:
        return fgr, pha
    weight = pha.astype(np.int32)
    alpha = resize(weight * 255, size)[..., None].astype(np.int64)
    product = np.stack([resize(fgr[..., c] * weight, size) for c in range(3)], -1).astype(np.int64)
    weighted = (2 * 255 * product + alpha) // (2 * alpha).clip(1)
    colours = np.where(alpha > 0, weighted.clip(0, 255), resize(fgr, size))
    return colours.astype(np.uint8), resize(pha, size)


def _subject(scene: Scene, recipe: Recipe, read_source: Read) -> tuple[Array, Array]:
    pha, fgr = read_source(scene.pha)[..., -1], read_source(scene.fgr)[..., :3]
    top, left, h, w = scene.box
    if recipe.colours == "weighted":
        fgr, pha = resize_weighted(fgr, pha, (h, w))
    else:
        fgr, pha = resize(fgr, (h, w)), resize(pha, (h, w))
    if scene.flip:
        fgr, pha = fgr[:, ::-1], pha[:, ::-1]
    around = ((top, scene.size[0] - top - h), (left, scene.size[1] - left - w))
    return np.pad(fgr, (*around, (0, 0)), mode="edge"), np.pad(pha, around)


def _background(scene: Scene, bgr: Array) -> Array:
    top, left, h, w = scene.crop
    cut = bgr[top : top + h, left : left + w]
    if cut.shape[:2] != (h, w) or 0 in cut.shape:
        raise BadInput(
            f"crop {scene.crop} of scene {scene.name} is not inside {scene.bgr} "
            f"({bgr.shape[0]}x{bgr.shape[1]})"
        )
    return resize(cut, scene.size)


def compose(
    manifest: Manifest,
    data_root: str | Path,
    out: str | Path,
    *,
    workers: int = 1,
    track: Callable[[Iterable[Scene]], Iterable[Scene]] = iter,
) -> Manifest:
    """Write a manifest's scenes and the completed manifest to `out`: whole or not at all.

    out/{src,bgr,pha,fgr[,trimap]}/NAME.png and out/manifest.json. Every pixel is a function of the
    manifest and its sources' pixels. track wraps the scenes, for a progress bar. Raises BadInput
    where out exists, sources are missing or different, or pictures not what the manifest says.
    """
    out = Path(out)
    if out.exists():
        raise BadInput(f"{out} exists already: check it (check={out}) or choose another out")
    if changed := changed_sources(manifest, data_root):
        raise BadInput(changed)
    read_source = source_reader(manifest, Path(data_root))
    files: dict[str, str] = {}
    with atomic_folder(out) as partial, ThreadPoolExecutor(max(1, workers)) as pool:
        jobs = [pool.submit(_write, s, manifest.recipe, read_source, partial)
                for s in manifest.scenes]  # fmt: skip
        try:
            for job, _ in zip(jobs, track(manifest.scenes), strict=True):
                files |= job.result()
        finally:
            pool.shutdown(cancel_futures=True)
        other = {name for name, _ in files.items() ^ manifest.files.items()}
        if manifest.files and other:
            raise BadInput(
                f"{len(other)} pictures differ from manifest {manifest.name}, made by other code "
                f"or from files that decode differently here: {list_names(sorted(other))}"
            )
        composed = manifest._replace(files=files)
        (partial / MANIFEST).write_text(write(composed), encoding="utf-8")
    return composed


def _write(scene: Scene, recipe: Recipe, read_source: Read, folder: Path) -> dict[str, str]:
    files = {}
    for kind, x in render(scene, recipe, read_source).items():
        name = f"{kind}/{scene.name}.png"
        channels = torch.from_numpy(np.array(x))  # a copy: Pillow's memory is read-only
        write_png(folder / name, channels[None] if x.ndim == 2 else channels.permute(2, 0, 1))
        files[name] = pixel_digest(x)
    return files


def check(folder: str | Path, manifest: Manifest, data_root: str | Path | None) -> str:
    """Compare a composed folder, and its sources unless data_root is None, with the manifest.

    Returns a sentence that counts and names what is wrong, "" if nothing is.
    """
    unknown = sorted({name for name, _ in walk_files(folder)} - {*manifest.files, MANIFEST})
    strange = f"{len(unknown)} files in {folder} are not in the manifest: {list_names(unknown)}"
    sentences = [
        "" if data_root is None else changed_sources(manifest, data_root),
        describe_changes("composed files", folder, manifest.files, _digest_of),
        strange if unknown else "",
    ]
    return "; ".join(filter(None, sentences))


def _digest_of(path: Path) -> str:
    try:
        with open_image(path) as image:
            return pixel_digest(np.asarray(image))
    except BadInput:
        return ""  # broken: no digest of anything
