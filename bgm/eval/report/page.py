"""Build the page: numbers to tables, tables and pictures into one HTML text."""

import json
import math
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from bgm.errors import BadInput
from bgm.eval.report.plots import curve_plot, sorted_values
from bgm.eval.report.published import published
from bgm.eval.report.runs import KINDS, Run, data_uri
from bgm.metrics import interval, paired, scale_label
from bgm.metrics.intervals import LEVEL, RESAMPLES

MOST_ROWS = 500  # of the table of pictures; the CSV in the page has all
RANKING = ("mad", "mse", "sad")
ABOUT = (
    *("model", "predictions", "sha256", "device", "select", "backbone_scale", "base_scale", "data"),
    *("scenes", "sizes", "protocol", "scale", "quantise", "trimaps", "grad_normalise"),
    *("mask_known", "seconds", "hardware", "versions"),
)


def page(runs: Sequence[Run], title: str = "Matting scores") -> str:
    """The HTML of one run, or of several side by side: the first is what others are compared with.

    Raises BadInput for runs of different protocols or scales, and as `check_libraries` does.
    """
    check_libraries()
    first = runs[0].scores
    for run in runs[1:]:
        if (run.scores["protocol"], run.scores["scales"]) != (first["protocol"], first["scales"]):
            raise BadInput(
                f"{runs[0].label} and {run.label} differ in protocol or scales "
                f"({first['protocol']}, {run.scores['protocol']}): they cannot be compared"
            )
    metrics = list(first["scales"])
    return _template().render(
        title=title,
        runs=runs,
        protocol=first["protocol"],
        heads=[(m, scale_label(first["scales"][m])) for m in metrics],
        about=[(key, [_told(run.scores.get(key)) for run in runs]) for key in _keys(runs)],
        results=_results(runs, metrics),
        published=[
            (row, [values.get(m) for m in metrics])
            for row, values in published(first["protocol"], first["scales"])
        ],
        differences=[_difference(runs[0], run, metrics) for run in runs[1:]],
        plots=_plots(runs, metrics, first["scales"]),
        examples=[(run, _examples(run)) for run in runs],
        kinds=KINDS,
        pictures=_pictures(runs, metrics),
        most=MOST_ROWS,
        downloads=[_downloads(run) for run in runs],
        level=round(LEVEL * 100),
        resamples=RESAMPLES,
    )


def check_libraries() -> None:
    """BadInput, with the cure, unless the libraries that make a page are installed."""
    for name in ("jinja2", "matplotlib"):
        if find_spec(name) is None:
            raise BadInput(f"{name} is not installed: pip install 'bgm[report]'")


def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("bgm.eval.report", "")
    env = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    env.filters["number"] = number
    return env.get_template("page.html")


def number(x: float | None) -> str:
    """Four digits, as the tables on the terminal have; a dash where there is no value."""
    if x is None or math.isnan(x):
        return "–"
    return f"{x:.4g}" if abs(x) < 1e4 else f"{x:.0f}"


def _keys(runs: Sequence[Run]) -> list[str]:
    return [key for key in ABOUT if any(run.scores.get(key) is not None for run in runs)]


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" if k != "processor" else str(v) for k, v in value.items())
    return "–" if value is None else str(value)


def _results(runs: Sequence[Run], metrics: list[str]) -> list[dict[str, Any]]:
    """A row per run: mean, interval and median of every metric; then its baselines."""
    rows = []
    for run in runs:
        found = [interval(run.values(m)) for m in metrics]
        medians = [run.scores["median"].get(m) for m in metrics]
        skipped = run.scores.get("skipped", [])
        rows.append(
            {
                "label": run.label,
                "number": len(run.scores["pictures"]),
                "groups": max((i.groups for i in found), default=0),
                "skipped": skipped,
                "cells": list(zip(found, medians, strict=True)),
                "baselines": [
                    (name, [b["mean"].get(m) for m in metrics])
                    for name, b in run.scores.get("baselines", {}).items()
                ],
            }
        )
    return rows


def _difference(one: Run, other: Run, metrics: list[str]) -> dict[str, Any]:
    found = [paired(one.values(m), other.values(m)) for m in metrics]
    return {
        "label": f"{other.label} − {one.label}",
        "cells": found,
        "number": max((i.number for i in found), default=0),
    }


def _plots(runs: Sequence[Run], metrics: list[str], scales: dict[str, float]) -> dict[str, list]:
    """Plots by heading."""
    labels = {m: f"{m} {scale_label(scales[m])}" for m in metrics}
    wanted = [m for m in ("mad", "mse", "grad", "conn") if m in metrics][:3]
    values = {run.label: run.values(wanted[0]) for run in runs} if wanted else {}
    found = {"Pictures": [sorted_values(values, labels[wanted[0]])]} if any(values.values()) else {}
    by_run = {run.label: run.curves for run in runs if run.curves}
    for name in dict.fromkeys(name for of in by_run.values() for name in of):
        heading = f"Robustness: {name.replace('_', ' ')}"
        found[heading] = [curve_plot(by_run, name, m, labels[m]) for m in wanted]
    return found


def _examples(run: Run) -> list[dict[str, Any]]:
    examples = run.scores.get("examples", [])
    return [e | {"pictures": run.pictures[e["rank"]]} for e in examples if run.pictures[e["rank"]]]


def _pictures(runs: Sequence[Run], metrics: list[str]) -> list[tuple[str, list[list[Any]]]]:
    """Rows (name, per metric the values of all runs), the first run's worst first."""
    ranking = next((m for m in RANKING if m in metrics), metrics[0] if metrics else None)
    by_name = [{row["name"]: row for row in run.scores["pictures"]} for run in runs]
    names = list(dict.fromkeys(name for rows in by_name for name in rows))
    worst = partial(_value, by_name[0], metric=ranking)
    names.sort(key=lambda name: -worst(name))
    return [
        (name, [[rows.get(name, {}).get(m) for rows in by_name] for m in metrics])
        for name in names[:MOST_ROWS]
    ]


def _value(rows: dict[str, Any], name: str, metric: str | None) -> float:
    value = rows.get(name, {}).get(metric)
    return -math.inf if value is None else value


def _downloads(run: Run) -> dict[str, str]:
    text = json.dumps(run.scores, indent=1)
    return {
        "label": run.label,
        "csv": data_uri(run.csv().encode(), "text/csv"),
        "json": data_uri(text.encode(), "application/json"),
    }
