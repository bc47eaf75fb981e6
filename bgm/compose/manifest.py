"""A benchmark's manifest: every source, placement and perturbation, and every file's hash."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from bgm.compose.perturbation import Plate

FORMAT = "bgm benchmark 1"
Box = tuple[int, int, int, int]  # top, left, height, width


class Recipe(NamedTuple):
    """What all scenes of a benchmark share."""

    blend: str  # src = fgr * a + bgr * (1 - a): "round" to the nearest level, or "floor" as RVM
    colours: str  # fgr resized "weighted" by alpha, or "plain", as RVM
    trimap: dict[str, float] | None  # low, high, dilate, erode; None: no trimaps


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
    plate: Plate | None  # None: the plate is the background itself


class Manifest(NamedTuple):
    """A plan (name, seed, recipe, sources, scenes) and what came of it (pixels, files)."""

    name: str
    seed: int
    recipe: Recipe
    sources: dict[str, dict[str, Any]]  # path below data_root -> sha256, mode; or what to draw
    scenes: tuple[Scene, ...]
    pixels: dict[str, str] = {}  # noqa: RUF012  source -> sha256 of what it decodes to
    files: dict[str, str] = {}  # noqa: RUF012  "src/0007.png" -> sha256

    def plan(self) -> "Manifest":
        """The same without what came of it."""
        return self._replace(pixels={}, files={})


def write(manifest: Manifest) -> str:
    """JSON text of a manifest, one source, scene and file a line; equal for equal manifests."""
    head = {"format": FORMAT, "name": manifest.name, "seed": manifest.seed}
    head["recipe"] = manifest.recipe._asdict()
    parts = [f"{_line(key)}: {_line(value)}" for key, value in head.items()]
    scenes = [_line(_plain(scene)) for scene in manifest.scenes]
    for field in ("sources", "scenes", "pixels", "files"):
        entries = scenes if field == "scenes" else _entries(getattr(manifest, field))
        opens, closes = "[]" if field == "scenes" else "{}"
        parts.append(f'"{field}": {opens}\n' + ",\n".join(entries) + f"\n{closes}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _entries(mapping: dict[str, Any]) -> list[str]:
    return [f"{_line(key)}: {_line(mapping[key])}" for key in sorted(mapping)]


def _line(value: Any) -> str:
    return json.dumps(value, separators=(", ", ": "), ensure_ascii=True, allow_nan=False)


def _plain(scene: Scene) -> dict[str, Any]:
    plate = None if scene.plate is None else scene.plate._asdict()
    return {**scene._asdict(), "plate": plate}


def digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hex; OSError where it cannot be read."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_names(names: Iterable[str], most: int = 10) -> str:
    """The first ten names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def key_of(path: str | Path, data_root: str | Path) -> str:
    """The name of a source: its path seen from data_root, with slashes."""
    return Path(os.path.relpath(path, data_root)).as_posix()
