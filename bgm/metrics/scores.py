"""Collect the scores of many pictures; show them as a table, write them as CSV and JSON."""

import csv
import io
import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from bgm.errors import BadInput
from bgm.files import write_text
from bgm.metrics.intervals import Interval, interval
from bgm.metrics.origin import hardware, versions
from bgm.metrics.protocols import Scale, scale_label, scales

Row = dict[str, float]


class Scores:
    """Rows of `score`, by name of the picture, in the order in which they were added.

    about: what else is to be written down about them: plain values that JSON can hold.
    """

    def __init__(self, protocol: str = "frame", scale: Scale = "native") -> None:
        self.protocol, self.scale = protocol, scale
        self.scales = scales(protocol, scale)
        self.rows: dict[str, Row] = {}
        self.skipped: dict[str, str] = {}  # name -> why
        self.about: dict[str, Any] = {}

    def add(self, name: str, row: Row) -> None:
        """Add one picture's scores; BadInput for a name or a metric that does not belong here."""
        if name in self.rows:
            raise BadInput(f"picture {name} has been scored already")
        if strange := [metric for metric in row if metric not in self.scales]:
            known = ", ".join(self.scales)
            raise BadInput(
                f"{', '.join(strange)} of {name} is not in protocol {self.protocol} ({known})"
            )
        self.rows[name] = {metric: float(value) for metric, value in row.items()}

    def skip(self, name: str, why: str) -> None:
        """Note a picture that the protocol leaves out."""
        self.skipped[name] = why

    @property
    def metrics(self) -> list[str]:
        """The metrics that at least one row has, in the protocol's order."""
        return [m for m in self.scales if any(m in row for row in self.rows.values())]

    def values(self, metric: str) -> list[float]:
        """The values of one metric, without the pictures where it is missing or NaN."""
        found = (row.get(metric, math.nan) for row in self.rows.values())
        return [value for value in found if not math.isnan(value)]

    def mean(self) -> Row:
        """Mean over `values`, per metric; NaN where no picture has one."""
        return self._over_pictures(statistics.fmean)

    def median(self) -> Row:
        """Median over `values`, per metric; NaN where no picture has one."""
        return self._over_pictures(statistics.median)

    def intervals(self) -> dict[str, Interval]:
        """Bootstrap 95 % interval of the mean, per metric; see `interval`."""
        return {
            m: interval({name: row[m] for name, row in self.rows.items() if m in row})
            for m in self.metrics
        }

    def _over_pictures(self, average: Callable[[list[float]], float]) -> Row:
        return {m: average(v) if (v := self.values(m)) else math.nan for m in self.metrics}

    def table(self, title: str | None = None, pictures: bool = True) -> Table:
        """A rich table: a column per metric with its scale, a row per picture, mean and median."""
        table = Table(title=title or self._title())
        table.add_column("picture", overflow="fold")
        for metric in self.metrics:
            table.add_column(f"{metric} {scale_label(self.scales[metric])}", justify="right")
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
        return {
            "protocol": self.protocol,
            "scale": self.scale,
            "scales": {m: self.scales[m] for m in self.metrics},
            "versions": versions(),
            "hardware": hardware(),
            **self.about,
            "count": {m: len(self.values(m)) for m in self.metrics},
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
        """Write name and metrics per picture, then rows (mean), (median), (scale); like the JSON.

        A picture without a metric has an empty cell, NaN is "nan"; digits are not cut.
        """
        ends = {"(mean)": self.mean(), "(median)": self.median(), "(scale)": self.scales}
        text = io.StringIO()
        out = csv.writer(text, lineterminator="\n")
        out.writerow(["name", *self.metrics])
        for name, row in [*self.rows.items(), *ends.items()]:
            out.writerow([name, *(repr(row[m]) if m in row else "" for m in self.metrics)])
        write_text(path, text.getvalue())


def _without_nan(row: Row) -> dict[str, float | None]:
    return {metric: None if math.isnan(value) else value for metric, value in row.items()}
