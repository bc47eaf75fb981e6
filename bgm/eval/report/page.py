"""The page: scores of one or more runs as one HTML file that asks no network for anything."""

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bgm.errors import BadInput
from bgm.eval.report.plots import curve_plot, sorted_values
from bgm.eval.report.runs import KINDS, Column, Run, data_uri, published, read_run
from bgm.extras import pip_install
from bgm.files import write_text
from bgm.metrics import interval, paired
from bgm.metrics.scores import LEVEL, RESAMPLES, Interval
from bgm.templates import fill_template

MOST_ROWS = 500  # of the table of pictures; the CSV in the page has all
FACTS = (
    *("model", "predictions", "sha256", "device", "select", "backbone_scale", "base_scale", "data"),
    *("scenes", "sizes", "protocol", "scale", "quantise", "trimaps", "grad_normalise"),
    *("mask_known", "seconds", "hardware", "versions"),
)
Columns = Mapping[str, Column]


def write_report(files: Sequence[str | Path], out: str | Path) -> list[Path]:
    """Write the page of some OUT.json to out; returns its path.

    Raises BadInput as `read_run` and `page` do.
    """
    labels = [Path(f).stem for f in files]
    if len(set(labels)) < len(labels):
        paths = enumerate(map(Path, files), 1)
        labels = [f"{path.parent.name}/{path.stem} ({number})" for number, path in paths]
    runs = [read_run(f, label) for f, label in zip(files, labels, strict=True)]
    title = labels[0] if len(runs) == 1 else " and ".join(labels[:3])
    write_text(out, page(runs, f"Matting scores: {title}"))
    return [Path(out)]


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
    columns = runs[0].columns()
    results = [(run, [interval(run.values(name)) for name in columns]) for run in runs]
    rows = published(first["protocol"], first["scales"])
    return fill_template(
        Path(__file__).with_name("page.html"),
        {"number": number, "fact": _fact, "uri": data_uri},
        title=title,
        runs=runs,
        protocol=first["protocol"],
        columns=columns,
        facts=[key for key in FACTS if any(run.scores.get(key) is not None for run in runs)],
        results=results,
        clips=max((i.groups for i in results[0][1]), default=0),
        published=[(row, [values.get(name) for name in columns]) for row, values in rows],
        differences=[_difference(runs[0], run, columns) for run in runs[1:]],
        plots=_plots(runs, columns),
        kinds=KINDS,
        pictures=_pictures(runs, columns),
        most=MOST_ROWS,
        level=round(LEVEL * 100),
        resamples=RESAMPLES,
    )


def check_libraries() -> None:
    """BadInput, with the cure, unless the library that draws plots is installed."""
    if find_spec("matplotlib") is None:
        raise BadInput(f"matplotlib is not installed: {pip_install('report')}")


def number(x: float | None) -> str:
    """Four digits, as the tables on the terminal have; a dash where there is no value."""
    if x is None or math.isnan(x):
        return "–"
    return f"{x:.4g}" if abs(x) < 1e4 else f"{x:.0f}"


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_fact(v)}" for k, v in value.items() if v not in ("", []))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value is None else str(value)


def _difference(one: Run, other: Run, columns: Columns) -> dict[str, Any]:
    """Mean differences picture by picture, each with its interval and its verdict."""
    means = [paired(one.values(name), other.values(name)) for name in columns]
    return {
        "label": f"{other.label} − {one.label}",
        "cells": [(i, _verdict(i, c)) for i, c in zip(means, columns.values(), strict=True)],
        "number": max((i.number for i in means), default=0),
    }


def _verdict(difference: Interval, column: Column) -> str:
    """ "better", "worse", or "" where the interval holds 0."""
    if difference.high < 0 or difference.low > 0:
        return "better" if (difference.low > 0) == column.higher_is_better else "worse"
    return ""


def _plots(runs: Sequence[Run], columns: Columns) -> dict[str, list[str]]:
    """Plots by heading."""
    plots: dict[str, list[str]] = {}
    first = next(iter(columns.values()))
    values = {run.label: run.values(first.name) for run in runs}
    if any(values.values()):
        plots["Pictures"] = [sorted_values(values, first)]
    by_run = {run.label: run.curves for run in runs if run.curves}
    for name in dict.fromkeys(name for curves in by_run.values() for name in curves):
        points = [point for curves in by_run.values() for point in curves.get(name, [])]
        plots[f"Robustness: {name.replace('_', ' ')}"] = [
            curve_plot(by_run, name, column)
            for column in columns.values()
            if any(column.name in point for point in points)
        ]
    return plots


def _pictures(runs: Sequence[Run], columns: Columns) -> list[tuple[str, list[list[Any]]]]:
    """Rows (name, per metric the values of all runs), the first run's worst first."""
    by_name = [{row["name"]: row for row in run.scores["pictures"]} for run in runs]
    first = next(iter(columns.values()))
    values = runs[0].values(first.name)
    names = sorted(values, key=values.__getitem__, reverse=not first.higher_is_better)
    names += [name for rows in by_name for name in rows]
    return [
        (name, [[rows.get(name, {}).get(column) for rows in by_name] for column in columns])
        for name in list(dict.fromkeys(names))[:MOST_ROWS]
    ]
