"""The page: scores of one or more runs as one HTML file that asks no network for anything."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any

from bgm.errors import BadInput
from bgm.eval.report.runs import KINDS, Column, Curves, Run, data_uri, published, read_run
from bgm.extras import pip_install
from bgm.files import write_text
from bgm.metrics import interval, paired
from bgm.metrics.scores import LEVEL, RESAMPLES, Interval
from bgm.templates import fill_template

STYLES = [
    {"color": colour, "marker": mark, "linewidth": 1.6}
    for colour, mark in (
        *(("#2563eb", "o"), ("#dc2626", "s"), ("#059669", "^")),
        *(("#d97706", "D"), ("#7c3aed", "v"), ("#0891b2", "P")),
    )
]


def sorted_values(values: Mapping[str, Mapping[str, float]], metric: Column) -> str:
    """A line per run: one metric of its pictures, from the best to the worst.

    values: run -> picture -> value.
    """
    figure, ax = _figure((5.6, 2.6))
    for (run, of), style in zip(values.items(), cycle(STYLES), strict=False):
        y = sorted(of.values(), reverse=metric.higher_is_better)
        x = [(i + 0.5) / len(y) * 100 for i in range(len(y))]
        ax.plot(x, y, label=run, markersize=3 if len(y) <= 60 else 0, **style)
    ax.set(xlabel="pictures, % (best to worst)", ylabel=metric.label, xlim=(0, 100))
    return _svg(figure, ax, f"{metric.label}, pictures sorted from best to worst")


def curve_plot(runs: Mapping[str, Curves], curve: str, metric: Column) -> str:
    """One metric of all runs against the level of a disturbance."""
    figure, ax = _figure((4.0, 2.8))
    for (run, of), style in zip(runs.items(), cycle(STYLES), strict=False):
        points = [(p["level"], p[metric.name]) for p in of.get(curve, []) if metric.name in p]
        if points:
            ax.plot(*zip(*points, strict=True), label=run, markersize=4, **style)
    ax.set(xlabel=curve.replace("_", " "), ylabel=metric.label)
    return _svg(figure, ax, f"{metric.label} against {curve}")


def _figure(size: tuple[float, float]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # without pyplot: no window, no global state

    figure = Figure(figsize=size, layout="constrained")
    ax = figure.subplots()
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


def _svg(figure: Any, ax: Any, title: str) -> str:
    """The figure as an <svg> element; the same figure gives the same text."""
    from matplotlib import rc_context

    ax.set_ylim(bottom=0)
    if ax.get_lines():
        ax.legend(frameon=False, fontsize=8)
    text = io.StringIO()
    with rc_context({"svg.hashsalt": "bgm", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]  # without the DTD, which names an address
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)  # HTML knows them
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return svg.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)


MOST_ROWS = 500  # of the table of pictures; the CSV in the page has all
FACTS = (
    *("model", "predictions", "sha256", "device", "select", "backbone_scale", "base_scale", "data"),
    *("scenes", "sizes", "protocol", "scale", "quantise", "trimaps", "grad_normalise"),
    *("mask_known", "seconds", "hardware", "versions"),
)
Columns = Mapping[str, Column]


def write_report(files: Sequence[str | Path], out: str | Path) -> list[Path]:
    """Write the page of some OUT.json to out; returns its path.

    Raises BadInput as `read_run` and `page` do, and where out is one of the files.
    """
    if Path(out).resolve() in [Path(file).resolve() for file in files]:
        raise BadInput(f"the page would take the place of the scores {out}: name another file")
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
