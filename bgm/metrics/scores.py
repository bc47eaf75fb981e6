"""The scores of many pictures: means with their intervals, tables, CSV and JSON."""

import csv
import io
import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from bgm.errors import BadInput
from bgm.files import write_text
from bgm.metrics.metric import Metric
from bgm.metrics.protocols import Scale, metrics_of

RESAMPLES = 10_000
LEVEL = 0.95
_CHUNK = 1 << 22  # drawn indices held at a time


class Interval(NamedTuple):
    """A mean and its bootstrap interval; low and high are NaN for fewer than two groups."""

    mean: float
    low: float
    high: float
    number: int  # of pictures
    groups: int  # of what was drawn: clips, or single pictures


def interval(values: Mapping[str, float], seed: int = 0) -> Interval:
    """95 % percentile bootstrap of the mean of values, by name of the picture.

    Frames of a clip are alike: where pictures lie in folders ("clip7/0001"), whole folders are
    drawn, and the mean of a draw is over all of its pictures. NaN values are left out. The same
    values give the same interval. Source: Efron and Tibshirani 1993, chapter 13.
    """
    kept = {name: value for name, value in values.items() if not math.isnan(value)}
    groups: dict[str, list[float]] = {}
    for name, value in kept.items():
        groups.setdefault(name.rpartition("/")[0] or name, []).append(value)
    sums, counts = (np.array([f(g) for g in groups.values()]) for f in (math.fsum, len))
    number, n = len(kept), len(groups)
    mean = math.fsum(kept.values()) / number if number else math.nan
    if n < 2:
        return Interval(mean, math.nan, math.nan, number, n)
    means = _resampled(sums, counts, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean, float(low), float(high), number, n)


def paired(values: Mapping[str, float], others: Mapping[str, float], seed: int = 0) -> Interval:
    """The interval of the mean of others - values, over the pictures that both have."""
    common = {name: others[name] - values[name] for name in values if name in others}
    return interval(common, seed)


def _resampled(
    sums: NDArray[np.float64], counts: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    n, rows = len(sums), max(1, _CHUNK // len(sums))
    means = []
    for start in range(0, RESAMPLES, rows):
        drawn = rng.integers(0, n, (min(rows, RESAMPLES - start), n))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return np.concatenate(means)


Row = dict[str, float]


class Scores:
    """Rows of `score`, by name of the picture, in the order in which they were added.

    facts: what else is written down about them, as JSON can hold it: model, data, versions.
    """

    def __init__(self, protocol: str = "frame", scale: Scale = "native") -> None:
        self.protocol, self.scale = protocol, scale
        self.known = metrics_of(protocol, scale)
        self.rows: dict[str, Row] = {}
        self.skipped: dict[str, str] = {}  # name -> why
        self.facts: dict[str, Any] = {}

    def add(self, name: str, row: Row) -> None:
        """Add one picture's scores; BadInput for a name or a metric that does not belong here."""
        if name in self.rows:
            raise BadInput(f"picture {name} has been scored already")
        if strange := [metric for metric in row if metric not in self.known]:
            known = ", ".join(self.known)
            raise BadInput(
                f"{', '.join(strange)} of {name} is not in protocol {self.protocol} ({known})"
            )
        self.rows[name] = {metric: float(value) for metric, value in row.items()}

    def skip(self, name: str, why: str) -> None:
        """Note a picture that the protocol leaves out."""
        self.skipped[name] = why

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics that at least one row has, by name, in the protocol's order."""
        used = {name for row in self.rows.values() for name in row}
        return {name: metric for name, metric in self.known.items() if name in used}

    def by_name(self, metric: str) -> Row:
        """Name of the picture -> value of a metric, where it is not missing or NaN."""
        values = {name: row.get(metric, math.nan) for name, row in self.rows.items()}
        return {name: value for name, value in values.items() if not math.isnan(value)}

    def worst_first(self, metric: str) -> list[str]:
        """Names of the pictures that have a value of this metric, ranked by it."""
        values = self.by_name(metric)
        falling = not self.known[metric].higher_is_better
        return sorted(values, key=values.__getitem__, reverse=falling)

    def mean(self) -> Row:
        """Mean per metric over the pictures that have a value; NaN where none has."""
        return self._over_pictures(statistics.fmean)

    def median(self) -> Row:
        """Median per metric over the pictures that have a value; NaN where none has."""
        return self._over_pictures(statistics.median)

    def intervals(self) -> dict[str, Interval]:
        """Bootstrap 95 % interval of the mean, per metric; see `interval`."""
        return {metric: interval(self.by_name(metric)) for metric in self.metrics}

    def _over_pictures(self, average: Callable[[Iterable[float]], float]) -> Row:
        values = {metric: self.by_name(metric).values() for metric in self.metrics}
        return {metric: average(v) if v else math.nan for metric, v in values.items()}

    def table(self, title: str | None = None, pictures: bool = True) -> Table:
        """A rich table: a column per metric with its scale, a row per picture, mean and median."""
        table = Table(title=title or self._title())
        table.add_column("picture", overflow="fold")
        for metric in self.metrics.values():
            table.add_column(metric.label, justify="right")
        rows = list(self.rows.items()) if pictures else []
        for index, (name, row) in enumerate(rows):
            table.add_row(Text(name), *self._cells(row), end_section=index == len(rows) - 1)
        table.add_row("mean", *self._cells(self.mean()), style="bold")
        table.add_row("median", *self._cells(self.median()))
        return table

    def _title(self) -> str:
        left_out = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"protocol {self.protocol}, {len(self.rows)} pictures{left_out}"

    def _cells(self, row: Row) -> list[str]:
        return [f"{row[m]:.4g}" if m in row else "" for m in self.metrics]

    def as_dict(self) -> dict[str, Any]:
        """All that the JSON holds; NaN is None, for JSON has no NaN."""
        metrics = self.metrics
        return {
            "protocol": self.protocol,
            "scale": self.scale,
            "scales": {name: m.scale for name, m in metrics.items()},
            "units": {name: m.unit for name, m in metrics.items()},
            "higher_is_better": [name for name, m in metrics.items() if m.higher_is_better],
            **self.facts,
            "count": {m: len(self.by_name(m)) for m in metrics},
            "mean": _without_nan(self.mean()),
            "median": _without_nan(self.median()),
            "interval": {
                m: _without_nan({"low": i.low, "high": i.high}) for m, i in self.intervals().items()
            },
            "skipped": [{"name": n, "why": why} for n, why in self.skipped.items()],
            "pictures": [{"name": n, **_without_nan(row)} for n, row in self.rows.items()],
        }

    def write_json(self, path: str | Path) -> None:
        """Write `as_dict` as JSON, whole or not at all; BadInput where it cannot be written."""
        write_text(path, json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n")

    def write_csv(self, path: str | Path) -> None:
        """Write name and metrics per picture, then rows (mean), (median) and (scale).

        A picture without a metric has an empty cell, NaN is "nan"; digits are not cut.
        """
        scales = {name: metric.scale for name, metric in self.metrics.items()}
        ends = {"(mean)": self.mean(), "(median)": self.median(), "(scale)": scales}
        rows = [{"name": name, **row} for name, row in (self.rows | ends).items()]
        write_text(path, csv_text(["name", *self.metrics], rows))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV below a head; what a row lacks, or has as None, is an empty cell."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _without_nan(row: Row) -> dict[str, float | None]:
    return {metric: value if math.isfinite(value) else None for metric, value in row.items()}
