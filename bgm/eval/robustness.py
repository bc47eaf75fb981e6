"""Robustness curves: mean scores of a network on scenes perturbed more and more."""

import io
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from rich.table import Table
from torch import Tensor

from bgm.console import say
from bgm.errors import BadInput
from bgm.eval.cases import ComputedCases, Predict
from bgm.eval.scoring import PartialScores, Rules, score_cases
from bgm.eval.stored_pictures import Trimaps
from bgm.files import write_text
from bgm.metrics.scores import csv_text
from bgm.pictures import to_uint8
from bgm.types import Batch

DIRECTIONS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # down, right


class Perturbation(NamedTuple):
    """One axis of the robustness curves.

    apply: of an unbatched scene, a level and a seed, a scene of the same truth; the neutral level
    returns it to the bit, the same seed gives the same scene.
    """

    levels: tuple[float, ...]
    apply: Callable[[Batch, float, int], Batch]  # scene, level, seed
    unit: str
    neutral: float | None  # the level that changes nothing; None: every level does


def shift_plate(scene: Batch, level: float, seed: int) -> Batch:
    """Move the plate by level pixels in one of four directions; its border is replicated.

    Along the axes, so that whole pixels interpolate nothing: misalignment, not blur.
    """
    down, right = DIRECTIONS[_integer(4, seed)]
    return scene._replace(bgr=_shift(scene.bgr, level * down, level * right))


def change_exposure(scene: Batch, level: float, seed: int) -> Batch:
    """Raise the plate to the power `level`: above 1 it is darker than the shot."""
    return scene._replace(bgr=scene.bgr**level)


def add_noise(scene: Batch, level: float, seed: int) -> Batch:
    """Add Gaussian noise of deviation `level` to shot and plate, to each its own; clamped."""
    if level == 0:
        return scene
    rng = torch.Generator().manual_seed(seed)
    src, bgr = ((x + level * torch.randn(x.shape, generator=rng)).clamp(0, 1) for x in scene[:2])
    return scene._replace(src=src, bgr=bgr)


def add_shadow(scene: Batch, level: float, seed: int) -> Batch:
    """Take up to a share `level` of the background's light in the shot: the subject's soft shadow.

    The shadow is alpha, moved sideways by a tenth of the short side and blurred. What lies behind
    is src - fgr * pha; where fgr is not known it is src, and (1 - pha) * src is what is dimmed.
    """
    short = min(scene.pha.shape[-2:])
    side = 1 if _integer(2, seed) else -1
    cast = _shift(scene.pha, short // 20, side * (short // 10), "constant")
    shade = _box(_box(cast, short // 20), short // 20)
    behind = (scene.src - scene.fgr * scene.pha).clamp(0, 1)
    return scene._replace(src=scene.src - level * shade * behind)


def compress(scene: Batch, level: float, seed: int) -> Batch:
    """Pack shot and plate as JPEG (Pillow, 4:2:0) of quality `level`, 1 to 100, and unpack them."""
    return scene._replace(src=_jpeg(scene.src, int(level)), bgr=_jpeg(scene.bgr, int(level)))


def blur_plate(scene: Batch, level: float, seed: int) -> Batch:
    """Blur the plate by a Gaussian of deviation `level` pixels: it was focused elsewhere."""
    if level == 0:
        return scene
    side = 2 * math.ceil(3 * level) + 1
    x = np.ascontiguousarray(scene.bgr.permute(1, 2, 0).numpy())
    x = cv2.GaussianBlur(x, (side, side), level, borderType=cv2.BORDER_REPLICATE)
    return scene._replace(bgr=torch.from_numpy(x).permute(2, 0, 1).clamp(0, 1))


PERTURBATIONS = {
    "misalignment": Perturbation((0, 0.5, 1, 2, 3, 4, 6, 8), shift_plate, "pixels", 0),
    "exposure": Perturbation(
        (0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4), change_exposure, "gamma of the plate", 1
    ),
    "noise": Perturbation((0, 0.01, 0.02, 0.04, 0.06, 0.08), add_noise, "standard deviation", 0),
    "shadow": Perturbation((0, 0.1, 0.2, 0.3, 0.4, 0.6), add_shadow, "share of the light taken", 0),
    "jpeg": Perturbation((100, 95, 85, 70, 50, 30, 10), compress, "quality", None),
    "blur": Perturbation((0, 0.5, 1, 2, 4, 8), blur_plate, "pixels", 0),
}


def _integer(below: int, seed: int) -> int:
    return int(np.random.default_rng([0xB6D, seed]).integers(below))


def _shift(x: Tensor, down: float, right: float, mode: str = "replicate") -> Tensor:
    """(C, H, W) moved by any number of pixels, bilinear; beyond the border: replicate, constant."""
    reach = math.ceil(max(abs(down), abs(right))) + 1
    padded = F.pad(x[None], [reach] * 4, mode)[0]
    for axis, way in ((-2, down), (-1, right)):
        start, size = math.floor(reach - way), x.shape[axis]
        here, next_one = (padded.narrow(axis, start + step, size) for step in (0, 1))
        part = reach - way - start
        padded = here if part == 0 else here.lerp(next_one, part)
    return padded


def _box(x: Tensor, radius: int) -> Tensor:
    """Mean over (2 radius + 1)^2 pixels of (C, H, W)."""
    padded = F.pad(x[None], [radius] * 4, "replicate")
    return F.avg_pool2d(padded, 2 * radius + 1, stride=1)[0]


def _jpeg(x: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    array = to_uint8(x).permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(array).save(file, format="JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(file) as image:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


Curves = dict[str, list[dict[str, float]]]  # perturbation -> level and mean scores, by level


class PerturbedScenes:
    """Scenes at one level of a perturbation; each has a seed of its own, the same at all levels."""

    def __init__(self, scenes: Any, perturbation: Perturbation, level: float, seed: int = 0):
        self.scenes, self.names = scenes, scenes.names
        self.perturbation, self.level, self.seed = perturbation, level, seed

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Batch:
        return self.perturbation.apply(self.scenes[index], self.level, self.seed + index)


def perturbation_names(wanted: str | Sequence[str] | None) -> list[str]:
    """Names of perturbations: "all", one or several, None for none; BadInput for others."""
    if wanted == "all":
        return list(PERTURBATIONS)
    names = [wanted] if isinstance(wanted, str) else list(wanted or ())
    if unknown := [name for name in names if name not in PERTURBATIONS]:
        raise BadInput(
            f"robustness={unknown[0]} is unknown, expected all or some of "
            f"{', '.join(PERTURBATIONS)}"
        )
    return names


def score_curves(
    scenes: Any,
    predict: Predict,
    names: Sequence[str],
    rules: Rules | None = None,
    trimaps: Trimaps | None = None,
    *,
    seed: int = 0,
    partial: PartialScores | None = None,
) -> Curves:
    """Mean scores at every level of some perturbations: {name: [{"level": 0.0, "mad": ...}, ...]}.

    partial: levels that are in it are not scored again, new ones are added.
    """
    means: dict[str, Any] = dict(partial.entries) if partial else {}
    curves: Curves = {}
    for name in names:
        perturbation = PERTURBATIONS[name]
        curves[name] = []
        for level in perturbation.levels:
            title = "unperturbed" if level == perturbation.neutral else f"{name} {level:g}"
            if title not in means:
                perturbed = PerturbedScenes(scenes, perturbation, level, seed)
                cases = ComputedCases(perturbed, predict, trimaps)
                means[title] = score_cases(cases, rules or Rules(), title).mean()
                if partial:
                    partial.add(title, means[title])
            curves[name].append({"level": float(level), **means[title]})
    return curves


def curve_paths(out: Path) -> list[Path]:
    """The CSV and the JSON that belong to the scores OUT.csv and OUT.json."""
    return [out.with_name(f"{out.name}-robustness.{kind}") for kind in ("csv", "json")]


def write_curves(curves: Curves, out: Path) -> list[Path]:
    """Write out-robustness.json, as `score_curves` gives it, and .csv; returns their paths.

    A mean that is NaN is null in the JSON and an empty cell in the CSV. Without curves, those of an
    earlier run are removed: a report would show them beside the new scores. Files of these names
    that hold no curves stay.
    """
    paths = curve_paths(out)
    if not curves:
        for path in paths:
            if holds_curves(path):
                path.unlink(missing_ok=True)
        return []
    plain, table = {}, []
    for name, rows in curves.items():
        plain[name] = [{k: v if math.isfinite(v) else None for k, v in r.items()} for r in rows]
        table += [{"curve": name, "unit": PERTURBATIONS[name].unit, **row} for row in plain[name]]
    write_text(paths[0], csv_text(list(table[0]), table))
    write_text(paths[1], json.dumps(plain, indent=1, allow_nan=False) + "\n")
    return paths


def holds_curves(path: Path) -> bool:
    """Whether a file is what `write_curves` writes."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            return text.startswith("curve,unit,level")
        known = json.loads(text)
    except (OSError, ValueError):
        return False
    if not isinstance(known, dict) or not known:
        return False
    return all(
        isinstance(rows, list) and all(isinstance(row, dict) and "level" in row for row in rows)
        for rows in known.values()
    )


def show_curves(curves: Curves) -> None:
    """Print one table a perturbation, a row a level."""
    for name, rows in curves.items():
        table = Table(title=f"{name} ({PERTURBATIONS[name].unit})")
        for key in rows[0]:
            table.add_column(key, justify="right")
        for row in rows:
            table.add_row(*(f"{value:.4g}" for value in row.values()))
        say(table)
