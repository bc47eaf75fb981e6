"""Build the page: numbers to tables, tables and pictures into one HTML text."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from bgm.errors import BadInput
from bgm.eval.report.plots import curve_plot, sorted_values
from bgm.eval.report.published import published
from bgm.eval.report.runs import KINDS, Run, Shown, data_uri
from bgm.metrics import interval, paired
from bgm.metrics.intervals import LEVEL, RESAMPLES, Interval

MOST_ROWS = 500  # of the table of pictures; the CSV in the page has all
ABOUT = (
    *("model", "predictions", "sha256", "device", "select", "backbone_scale", "base_scale", "data"),
    *("scenes", "sizes", "protocol", "scale", "quantise", "trimaps", "grad_normalise"),
    *("mask_known", "seconds", "hardware", "versions"),
)

Metrics = Mapping[str, Shown]


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
    metrics = runs[0].metrics()
    return _template().render(
        title=title,
        runs=runs,
        protocol=first["protocol"],
        metrics=metrics.values(),
        about=[(key, [_told(run.scores.get(key)) for run in runs]) for key in _keys(runs)],
        results=_results(runs, metrics),
        published=[
            (row, [values.get(m) for m in metrics])
            for row, values in published(first["protocol"], first["scales"])
        ],
        differences=[_difference(runs[0], run, metrics) for run in runs[1:]],
        plots=_plots(runs, metrics),
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


def _results(runs: Sequence[Run], metrics: Metrics) -> list[dict[str, Any]]:
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


def _difference(one: Run, other: Run, metrics: Metrics) -> dict[str, Any]:
    found = [paired(one.values(m), other.values(m)) for m in metrics]
    return {
        "label": f"{other.label} − {one.label}",
        "cells": [(i, _verdict(i, m)) for i, m in zip(found, metrics.values(), strict=True)],
        "number": max((i.number for i in found), default=0),
    }


def _verdict(difference: Interval, metric: Shown) -> str:
    """ "better", "worse", or "" where the interval holds 0."""
    if difference.high < 0 or difference.low > 0:
        return "better" if (difference.low > 0) == metric.higher_is_better else "worse"
    return ""


def _plots(runs: Sequence[Run], metrics: Metrics) -> dict[str, list]:
    """Plots by heading."""
    first = next(iter(metrics.values()), None)
    values = {run.label: run.values(first.name) for run in runs} if first else {}
    found = {"Pictures": [sorted_values(values, first)]} if first and any(values.values()) else {}
    by_run = {run.label: run.curves for run in runs if run.curves}
    for name in dict.fromkeys(name for of in by_run.values() for name in of):
        points = [p for of in by_run.values() for p in of.get(name, [])]
        there = [m for m in metrics.values() if any(m.name in point for point in points)]
        heading = f"Robustness: {name.replace('_', ' ')}"
        found[heading] = [curve_plot(by_run, name, metric) for metric in there]
    return found


def _examples(run: Run) -> list[dict[str, Any]]:
    examples = run.scores.get("examples", [])
    return [e | {"pictures": run.pictures[e["rank"]]} for e in examples if run.pictures[e["rank"]]]


def _pictures(runs: Sequence[Run], metrics: Metrics) -> list[tuple[str, list[list[Any]]]]:
    """Rows (name, per metric the values of all runs), the first run's worst first."""
    by_name = [{row["name"]: row for row in run.scores["pictures"]} for run in runs]
    names = list(dict.fromkeys(name for rows in by_name for name in rows))
    if ranking := next(iter(metrics.values()), None):
        values = runs[0].values(ranking.name)
        worst = sorted(values, key=values.__getitem__, reverse=not ranking.higher_is_better)
        names = list(dict.fromkeys([*worst, *names]))
    return [
        (name, [[rows.get(name, {}).get(m) for rows in by_name] for m in metrics])
        for name in names[:MOST_ROWS]
    ]


def _downloads(run: Run) -> dict[str, str]:
    text = json.dumps(run.scores, indent=1)
    return {
        "label": run.label,
        "csv": data_uri(run.csv().encode(), "text/csv"),
        "json": data_uri(text.encode(), "application/json"),
    }
