"""A benchmark's manifest: every source, placement and perturbation, and every picture's hash."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bgm.compose.perturbation import PlateDifference, check_plate
from bgm.errors import BadInput

FORMAT = "bgm benchmark 2"
LARGEST = 1 << 15  # pixels a side
Box = tuple[int, int, int, int]  # top, left, height, width


@dataclass(frozen=True)
class Trimap:
    """How trimaps are made of true mattes; see `bgm.trimap`."""

    low: float = 0.06
    high: float = 0.96
    dilate: int = 10
    erode: int = 10

    def __post_init__(self) -> None:
        counts = all(isinstance(n, int) and 0 <= n <= LARGEST for n in (self.dilate, self.erode))
        if not (0 <= self.low < self.high <= 1 and counts):
            raise BadInput(f"{self}, expected 0 <= low < high <= 1 and whole numbers")


class Recipe(NamedTuple):
    """What all scenes of a benchmark share."""

    blend: str  # src = fgr * a + bgr * (1 - a): "round" to the nearest level, or "floor" as RVM
    colours: str  # fgr resized "weighted" by alpha, or "plain", as RVM
    trimap: dict[str, Any] | None  # the arguments of `Trimap`; None: no trimaps


class Scene(NamedTuple):
    """One picture to compose."""

    name: str  # of its files, "0007" or "still-0002/0041"
    fgr: str  # key of a source; the same as pha for RGBA files
    pha: str
    bgr: str
    size: tuple[int, int]  # (H, W)
    box: Box  # where the subject lies in the scene, wholly inside
    crop: Box  # the part of the background that fills the scene
    flip: bool  # the subject is mirrored left to right
    plate: PlateDifference | None  # None: the plate is the background itself


class Manifest(NamedTuple):
    """A plan (name, seed, recipe, sources, scenes) and what came of it (files)."""

    name: str
    seed: int
    recipe: Recipe
    sources: dict[str, dict[str, Any]]  # path below data_root -> sha256, mode; or what to draw
    scenes: tuple[Scene, ...]
    files: dict[str, str] = {}  # noqa: RUF012  "src/0007.png" -> sha256 of its pixels


def write(manifest: Manifest) -> str:
    """JSON text of a manifest, one source, scene and file a line; equal for equal manifests."""
    head = {"format": FORMAT, "name": manifest.name, "seed": manifest.seed}
    head["recipe"] = manifest.recipe._asdict()
    parts = [f"{_line(key)}: {_line(value)}" for key, value in head.items()]
    parts.append(f'"sources": {{\n{_entries(manifest.sources)}\n}}')
    scenes = (s._asdict() | {"plate": s.plate and s.plate._asdict()} for s in manifest.scenes)
    parts.append('"scenes": [\n' + ",\n".join(map(_line, scenes)) + "\n]")
    parts.append(f'"files": {{\n{_entries(manifest.files)}\n}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _entries(mapping: dict[str, Any]) -> str:
    return ",\n".join(f"{_line(key)}: {_line(mapping[key])}" for key in sorted(mapping))


def _line(value: Any) -> str:
    return json.dumps(value, separators=(", ", ": "), ensure_ascii=True, allow_nan=False)


def read(path: str | Path) -> Manifest:
    """Read a manifest; BadInput names the file and what is wrong with it."""
    try:
        entry = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read manifest {path} ({error.strerror or error})") from None
    except ValueError as error:
        raise BadInput(f"{path} is not a manifest: it is not JSON ({error})") from None
    if not isinstance(entry, dict) or entry.get("format") != FORMAT:
        raise BadInput(f"{path} is not a manifest: its format is not {FORMAT!r}")
    try:
        return _manifest(entry)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadInput(f"{path} is not a manifest that can be used ({error!r})") from None


def _manifest(entry: dict[str, Any]) -> Manifest:
    recipe = Recipe(**entry["recipe"])
    if recipe.blend not in ("round", "floor") or recipe.colours not in ("weighted", "plain"):
        raise BadInput(f"recipe has blend {recipe.blend!r} and colours {recipe.colours!r}")
    if recipe.trimap is not None:
        Trimap(**recipe.trimap)  # it looks at its numbers
    sources = {str(key): dict(spec) for key, spec in entry["sources"].items()}
    scenes = tuple(_scene(scene, sources) for scene in entry["scenes"])
    if len({scene.name for scene in scenes}) < len(scenes):
        raise BadInput("a scene is named twice")
    files = dict(entry["files"])
    return Manifest(str(entry["name"]), int(entry["seed"]), recipe, sources, scenes, files)


def _scene(entry: dict[str, Any], sources: dict[str, dict]) -> Scene:
    boxes = {field: tuple(int(n) for n in entry[field]) for field in ("size", "box", "crop")}
    plate = entry["plate"] and PlateDifference(
        **{**entry["plate"], "shift": tuple(entry["plate"]["shift"])}
    )
    scene = Scene(**{**entry, **boxes, "plate": plate})
    inside = Path(scene.name)
    if inside.is_absolute() or ".." in inside.parts or not inside.parts:
        raise BadInput(f"scene {scene.name!r} is not a path below the folder")
    if unknown := [key for key in (scene.fgr, scene.pha, scene.bgr) if key not in sources]:
        raise BadInput(f"scene {scene.name} needs {unknown[0]}, which is no source")
    (H, W), (top, left, h, w) = scene.size, scene.box
    if max(H, W) > LARGEST or not (0 <= top < top + h <= H and 0 <= left < left + w <= W):
        raise BadInput(f"box {scene.box} of scene {scene.name} is not inside {H}x{W}")
    if plate is not None:
        check_plate(plate, f"scene {scene.name}")
    return scene


def pixel_digest(x: np.ndarray) -> str:
    """SHA-256 of a picture (H, W) or (H, W, C), uint8: of its shape and its pixels, in hex."""
    return hashlib.sha256(repr(x.shape).encode() + np.ascontiguousarray(x).tobytes()).hexdigest()


def list_names(names: Iterable[str], most: int = 10) -> str:
    """The first ten names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def key_of(path: str | Path, data_root: str | Path) -> str:
    """The name of a source: its path seen from data_root, with slashes."""
    return Path(os.path.relpath(path, data_root)).as_posix()
