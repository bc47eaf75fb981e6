"""Robustness curves: the scores at every level of what plates and shots suffer."""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.table import Table

from bgm.console import say
from bgm.errors import BadInput
from bgm.eval.partial_scores import Journal
from bgm.eval.perturb import CURVES, Curve
from bgm.eval.scoring import Matted, Rules, score_scenes
from bgm.files import write_text
from bgm.types import Batch

Curves = dict[str, list[dict[str, float]]]  # curve -> level and mean scores, by level


class Suffering:
    """Scenes at one level of a curve; every scene has a seed of its own, the same at all levels."""

    def __init__(self, scenes: Any, curve: Curve, level: float, seed: int = 0):
        self.scenes, self.names, self.root = scenes, scenes.names, getattr(scenes, "root", None)
        self.curve, self.level, self.seed = curve, level, seed

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Batch:
        return self.curve.apply(self.scenes[index], self.level, self.seed + index)


def chosen(wanted: str | Sequence[str] | None) -> list[str]:
    """Names of curves: "all", one name or several, None for none; BadInput for others."""
    names = list(CURVES) if wanted == "all" else [wanted] if isinstance(wanted, str) else wanted
    names = list(names or ())
    if unknown := [name for name in names if name not in CURVES]:
        raise BadInput(
            f"robustness={unknown[0]} is unknown, expected all or some of {', '.join(CURVES)}"
        )
    return names


def curves_of(subject: Any, scenes: Any, cfg: DictConfig) -> list[Path]:
    """Score and print the curves that a config asks for; returns the files, [] for none.

    Those of an earlier run are removed: the report would show them beside the new scores.
    """
    wanted = chosen(cfg.robustness)
    if not wanted:
        for kind in ("csv", "json"):
            subject.out.with_name(f"{subject.out.name}-robustness.{kind}").unlink(missing_ok=True)
        return []
    rules = subject.rules
    with subject.journal("-robustness") as journal:
        run = subject.cases.run
        curves = score_curves(scenes, run, rules.protocol, wanted, rules=rules, journal=journal)
    show_curves(curves)
    return write_curves(curves, subject.out)


def score_curves(
    scenes: Any,
    run: Callable[[Batch], Matted],
    protocol: str,
    wanted: str | Sequence[str] | None = "all",
    seed: int = 0,
    rules: Rules | None = None,
    journal: Journal | None = None,
) -> Curves:
    """Mean scores at every level of the curves: {curve: [{"level": 0.0, "mad": ...}, ...]}.

    What changes nothing is scored once for all curves. journal: levels that are in it are not
    scored again, what is found is added.
    """
    known = journal.rows if journal else {}
    found: Curves = {}
    for name in chosen(wanted):
        curve = CURVES[name]
        found[name] = []
        for level in curve.levels:
            what = "untouched" if level == curve.neutral else f"{name} {level:g}"
            if what not in known:
                suffering = Suffering(scenes, curve, level, seed)
                known[what] = score_scenes(suffering, run, protocol, what, rules=rules).mean()
                if journal:
                    journal.add(what, known[what])
            found[name].append({"level": float(level), **known[what]})
    return found


def write_curves(curves: Curves, out: str | Path) -> list[Path]:
    """Write out-robustness.json, as `score_curves` gives it, and .csv; returns their paths.

    A mean that is NaN is null in the JSON and an empty cell in the CSV.
    """
    if not curves:
        return []
    plain = {name: [_without_nan(row) for row in rows] for name, rows in curves.items()}
    out = Path(out)
    paths = [out.with_name(f"{out.name}-robustness.{kind}") for kind in ("csv", "json")]
    metrics = [key for key in next(iter(curves.values()))[0] if key != "level"]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["curve", "unit", "level", *metrics])
    for name, rows in plain.items():
        for row in rows:
            cells = ("" if row[key] is None else repr(row[key]) for key in ("level", *metrics))
            table.writerow([name, CURVES[name].unit, *cells])
    write_text(paths[0], text.getvalue())
    write_text(paths[1], json.dumps(plain, indent=1, allow_nan=False) + "\n")
    return paths


def show_curves(curves: Curves) -> None:
    """Print one table a curve, a row a level."""
    for name, rows in curves.items():
        table = Table(title=f"{name} ({CURVES[name].unit})")
        for key in rows[0]:
            table.add_column(key, justify="right")
        for row in rows:
            table.add_row(*(f"{value:.4g}" for value in row.values()))
        say(table)


def _without_nan(row: dict[str, float]) -> dict[str, float | None]:
    return {key: None if math.isnan(value) else value for key, value in row.items()}
