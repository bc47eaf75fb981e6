"""Read manifests, and refuse what no manifest of ours holds before anything is written by it."""

import json
import math
from pathlib import Path
from typing import Any

from bgm.compose.manifest import FORMAT, Manifest, Recipe, Scene
from bgm.compose.perturbation import Plate
from bgm.errors import BadInput

LARGEST = 1 << 15  # pixels a side


def read(path: str | Path) -> Manifest:
    """Read a manifest; BadInput names the file and what is wrong with it."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read manifest {path} ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not a manifest: it is not a text file") from None
    except ValueError as error:
        raise BadInput(f"{path} is not a manifest: it is not JSON ({error})") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise BadInput(f"{path} is not a manifest: its format is not {FORMAT!r}")
    try:
        manifest = _manifest(found)
        _check(manifest)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadInput(f"{path} is not a manifest that can be used ({error!r})") from None
    return manifest


def _manifest(found: dict[str, Any]) -> Manifest:
    return Manifest(
        str(found["name"]),
        int(found["seed"]),
        Recipe(**found["recipe"]),
        {str(key): dict(spec) for key, spec in found["sources"].items()},
        tuple(_scene(entry) for entry in found["scenes"]),
        dict(found["pixels"]),
        dict(found["files"]),
    )


def _scene(entry: dict[str, Any]) -> Scene:
    plate = entry["plate"]
    if plate is not None:
        plate = Plate(**{**plate, "shift": tuple(plate["shift"])})
    boxes = {field: tuple(int(n) for n in entry[field]) for field in ("size", "box", "crop")}
    return Scene(**{**entry, **boxes, "plate": plate})


def _check(manifest: Manifest) -> None:
    if len({scene.name for scene in manifest.scenes}) < len(manifest.scenes):
        raise BadInput("a scene is named twice")
    _check_recipe(manifest.recipe)
    for scene in manifest.scenes:
        inside = Path(scene.name)
        if inside.is_absolute() or ".." in inside.parts or not inside.parts:
            raise BadInput(f"scene {scene.name!r} is not a path below the folder")
        if unknown := [k for k in (scene.fgr, scene.pha, scene.bgr) if k not in manifest.sources]:
            raise BadInput(f"scene {scene.name} needs {unknown[0]}, which is no source")
        (H, W), (top, left, h, w) = scene.size, scene.box
        if max(H, W) > LARGEST or min(H, W) < 1:
            raise BadInput(f"scene {scene.name} is {W}x{H}, expected 1 to {LARGEST} pixels a side")
        if not (0 <= top < top + h <= H and 0 <= left < left + w <= W):
            raise BadInput(f"box {scene.box} of scene {scene.name} is not inside {H}x{W}")
        if scene.plate is not None:
            check_plate(scene.plate, f"scene {scene.name}")


def _check_recipe(recipe: Recipe) -> None:
    if recipe.blend not in ("round", "floor") or recipe.colours not in ("weighted", "plain"):
        raise BadInput(
            f"recipe has blend {recipe.blend!r} and colours {recipe.colours!r}, expected round or "
            "floor, and weighted or plain"
        )
    if recipe.trimap is not None:
        check_trimap(**recipe.trimap)


def check_trimap(low: float, high: float, dilate: int, erode: int) -> None:
    """Raise BadInput unless 0 <= low < high <= 1 and the iterations are counts."""
    counts = all(isinstance(n, int) and 0 <= n <= LARGEST for n in (dilate, erode))
    if not (0 <= low < high <= 1 and counts):
        raise BadInput(
            f"trimap has low {low}, high {high}, dilate {dilate}, erode {erode}, expected "
            "0 <= low < high <= 1 and whole numbers"
        )


def check_plate(plate: Plate, where: str) -> None:
    """Raise BadInput for numbers that no plate has: they would overflow, or mean nothing."""
    limits = {
        "shift": (*plate.shift, 1000),
        "noise_mean": (plate.noise_mean, 1),
        "noise_std": (plate.noise_std, 1),
    }
    for what, (*values, most) in limits.items():
        if not all(math.isfinite(v) and abs(v) <= most for v in values):
            raise BadInput(f"{what} of {where} is {values}, expected at most {most}")
    if len(plate.shift) != 2 or not 0.01 <= plate.gamma <= 100 or plate.noise_std < 0:
        raise BadInput(
            f"plate of {where} has shift {plate.shift}, gamma {plate.gamma}, noise_std "
            f"{plate.noise_std}, expected two numbers, 0.01 to 100, and 0 or more"
        )
    if not (isinstance(plate.noise_key, int) and 0 <= plate.noise_key < 2**128):
        raise BadInput(f"noise_key of {where} is {plate.noise_key!r}, expected 0 to 2**128 - 1")
