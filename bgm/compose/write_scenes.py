"""Compose the scenes of a manifest to files, and check them later."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bgm.compose.manifest import Manifest, Recipe, Scene, digest, list_names, write
from bgm.compose.perturbation import perturb
from bgm.compose.picture_files import opener, verify
from bgm.compose.png import png
from bgm.compose.resample import resize, resize_subject
from bgm.errors import BadInput
from bgm.trimap import trimap_of

MANIFEST = "manifest.json"
Array = NDArray[np.uint8]
Track = Callable[[Iterable[Scene]], Iterable[Scene]]


def render(scene: Scene, recipe: Recipe, open_source: Callable[[str], Array]) -> dict[str, Array]:
    """The pictures of one scene, uint8: src, bgr (the plate), fgr (H, W, 3), pha, trimap (H, W)."""
    fgr, pha = _subject(scene, recipe, open_source)
    true_bgr = _background(scene, open_source(scene.bgr))
    blend = {"round": blend_rounded, "floor": blend_floored}[recipe.blend]
    plate = true_bgr if scene.plate is None else perturb(true_bgr, scene.plate)
    found = {"src": blend(fgr, pha, true_bgr), "bgr": plate, "pha": pha, "fgr": fgr}
    if recipe.trimap is not None:
        found["trimap"] = trimap_of(pha, **recipe.trimap)
    return found


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


def _subject(scene: Scene, recipe: Recipe, open_source: Callable) -> tuple[Array, Array]:
    pha = open_source(scene.pha)[..., -1]
    fgr = open_source(scene.fgr)[..., :3]
    top, left, h, w = scene.box
    if recipe.colours == "weighted":
        fgr, pha = resize_subject(fgr, pha, (h, w))
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
        size = "x".join(map(str, bgr.shape[:2]))
        raise BadInput(
            f"crop {scene.crop} of scene {scene.name} is not inside {scene.bgr} ({size})"
        )
    return np.ascontiguousarray(resize(cut, scene.size))


def compose(
    manifest: Manifest,
    data_root: str | Path,
    out: str | Path,
    *,
    workers: int = 1,
    track: Track = iter,
) -> Manifest:
    """Write a manifest's scenes and the completed manifest to `out`: whole or not at all.

    out/{src,bgr,pha,fgr[,trimap]}/NAME.png and out/manifest.json. Every byte is a function of the
    manifest and of its sources' pixels. track wraps the scenes, for a progress bar. Raises BadInput
    where out exists, sources are missing or different (named), or what comes out is not what the
    manifest says.
    """
    out = Path(out)
    if out.exists():
        raise BadInput(f"{out} exists already: check it (check={out}) or choose another out")
    if said := _describe("source files", *verify(manifest, Path(data_root)), data_root):
        raise BadInput(said)
    pixels: dict[str, str] = {}
    open_source = opener(manifest, Path(data_root), pixels)
    partial = out.with_name(f".{out.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with ThreadPoolExecutor(max(1, workers)) as pool:
            try:
                jobs = [pool.submit(_write, s, manifest.recipe, open_source, partial)
                        for s in manifest.scenes]  # fmt: skip
                files: dict[str, str] = {}
                for job, _ in zip(jobs, track(manifest.scenes), strict=True):
                    files |= job.result()
            finally:
                pool.shutdown(cancel_futures=True)
        done = manifest._replace(pixels=pixels, files=files)
        _as_expected(manifest, done)
        (partial / MANIFEST).write_text(write(done), encoding="utf-8")
        os.replace(partial, out)
    except OSError as error:
        raise BadInput(f"cannot write {out} ({error.strerror or error})") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return done


def _write(scene: Scene, recipe: Recipe, open_source: Callable, folder: Path) -> dict[str, str]:
    files = {}
    for kind, x in render(scene, recipe, open_source).items():
        name, data = f"{kind}/{scene.name}.png", png(x)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        files[name] = hashlib.sha256(data).hexdigest()
    return files


def _as_expected(manifest: Manifest, done: Manifest) -> None:
    if not manifest.files:
        return  # a plan: nothing is known yet
    other = [name for name, sha in done.files.items() if manifest.files.get(name) != sha]
    other += [name for name in manifest.files if name not in done.files]
    if other:
        raise BadInput(
            f"{len(other)} files differ from manifest {manifest.name}, made by other code or "
            f"from other numbers: {list_names(other)}"
        )


class CheckFindings(NamedTuple):
    """What a check found wrong, by name."""

    missing_sources: list[str]
    different_sources: list[str]
    missing: list[str]
    different: list[str]
    strange: list[str]  # files that the manifest does not know


def check(folder: str | Path, manifest: Manifest, data_root: str | Path | None) -> CheckFindings:
    """Compare a composed folder, and its sources unless data_root is None, with the manifest."""
    sources = ([], []) if data_root is None else verify(manifest, Path(data_root))
    missing, different = [], []
    for name, sha in manifest.files.items():
        try:
            if digest(Path(folder, name)) != sha:
                different.append(name)
        except OSError:
            missing.append(name)
    there = (p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())
    strange = sorted(set(there) - set(manifest.files) - {MANIFEST})
    return CheckFindings(*sources, missing, different, strange)


def describe_findings(
    found: CheckFindings, folder: str | Path, data_root: str | Path | None
) -> str:
    """One sentence that counts and names what is wrong; "" if nothing is."""
    said = [
        _describe("source files", found.missing_sources, found.different_sources, data_root),
        _describe("composed files", found.missing, found.different, folder),
    ]
    if found.strange:
        n = len(found.strange)
        said.append(f"{n} files in {folder} are not in its manifest: {list_names(found.strange)}")
    return "; ".join(part for part in said if part)


def _describe(what: str, missing: list[str], different: list[str], place: str | Path | None) -> str:
    said = []
    for names, how in ((missing, "missing"), (different, "not what the manifest says")):
        if names:
            said.append(f"{len(names)} {what} in {place} are {how}: {list_names(names)}")
    return "; ".join(said)
