"""Robustness curves: mean scores of a network on scenes perturbed more and more."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from bgm.console import say
from bgm.errors import BadInput
from bgm.eval.cases import ComputedCases, Predict
from bgm.eval.perturb import PERTURBATIONS, Perturbation
from bgm.eval.scoring import PartialScores, Rules, score_cases
from bgm.eval.stored_pictures import Trimaps
from bgm.files import write_text
from bgm.metrics.scores import csv_text
from bgm.types import Batch

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

    What changes nothing is scored once for all curves. partial: levels that are in it are not
    scored again, new ones are added.
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


def write_curves(curves: Curves, out: Path) -> list[Path]:
    """Write out-robustness.json, as `score_curves` gives it, and .csv; returns their paths.

    A mean that is NaN is null in the JSON and an empty cell in the CSV. Without curves, those of an
    earlier run are removed: a report would show them beside the new scores.
    """
    paths = [out.with_name(f"{out.name}-robustness.{kind}") for kind in ("csv", "json")]
    if not curves:
        for path in paths:
            path.unlink(missing_ok=True)
        return []
    plain, table = {}, []
    for name, rows in curves.items():
        plain[name] = [{k: v if math.isfinite(v) else None for k, v in r.items()} for r in rows]
        table += [{"curve": name, "unit": PERTURBATIONS[name].unit, **row} for row in plain[name]]
    write_text(paths[0], csv_text(list(table[0]), table))
    write_text(paths[1], json.dumps(plain, indent=1, allow_nan=False) + "\n")
    return paths


def show_curves(curves: Curves) -> None:
    """Print one table a perturbation, a row a level."""
    for name, rows in curves.items():
        table = Table(title=f"{name} ({PERTURBATIONS[name].unit})")
        for key in rows[0]:
            table.add_column(key, justify="right")
        for row in rows:
            table.add_row(*(f"{value:.4g}" for value in row.values()))
        say(table)
