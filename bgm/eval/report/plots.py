"""Plots as SVG text: values picture by picture, and metrics against a disturbance."""

import io
import re
from collections.abc import Mapping
from itertools import cycle
from typing import Any

from bgm.eval.report.runs import Column, Curves

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
