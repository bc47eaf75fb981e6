"""Numbers from papers, to print beside ours; none of them was measured here."""

from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from bgm.metrics import metrics_of


class Published(NamedTuple):
    """A row of a table, on the scales of papers (`bgm.metrics.metrics_of(protocol, "table")`)."""

    protocol: str
    network: str
    benchmark: str
    source: str
    values: dict[str, float]


def read_rows() -> list[Published]:
    """All rows of published.yaml, in its order."""
    tables: Any = OmegaConf.load(Path(__file__).with_name("published.yaml"))
    return [
        Published(t.protocol, row[0], row[1], t.source, dict(zip(t.metrics, row[2:], strict=True)))
        for t in tables
        for row in t.rows
    ]


def published(protocol: str, factors: dict[str, float]) -> list[tuple[Published, dict[str, float]]]:
    """The rows of a protocol, on the scales of a run (metric -> factor).

    frame counts mad, mse and grad as rvm does, and gets its rows.
    """
    wanted = "rvm" if protocol == "frame" else protocol
    table = {name: metric.scale for name, metric in metrics_of(wanted, "table").items()}
    return [
        (row, {m: v * factors.get(m, table[m]) / table[m] for m, v in row.values.items()})
        for row in read_rows()
        if row.protocol == wanted
    ]
