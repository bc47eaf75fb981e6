"""What the report shows: scores that eval.py wrote, and numbers from papers."""

import base64
import json
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from bgm.errors import BadInput
from bgm.metrics import metrics_of, scale_label
from bgm.metrics.scores import csv_text


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


KINDS = ("src", "bgr", "true", "pred", "error")
KEYS = {"protocol", "scales", "mean", "median", "pictures"}
LARGEST = 400_000  # bytes of a picture: a page holds a few dozen of them
Curves = dict[str, list[dict[str, float]]]


class Column(NamedTuple):
    """A metric as the JSON file of its scores describes it."""

    name: str
    scale_label: str
    higher_is_better: bool

    @property
    def label(self) -> str:
        return f"{self.name} {self.scale_label}"


class Run(NamedTuple):
    """One scored model or folder of predictions."""

    label: str
    scores: dict[str, Any]  # `bgm.metrics.Scores.as_dict`
    curves: Curves  # name -> [{level, metric: value, ...}, ...]
    pictures: dict[str, dict[str, str]]  # rank -> kind -> data URI

    def values(self, metric: str) -> dict[str, float]:
        """Metric by name of the picture, without those where it is missing or NaN."""
        rows = self.scores["pictures"]
        return {row["name"]: row[metric] for row in rows if row.get(metric) is not None}

    def columns(self) -> dict[str, Column]:
        """The metrics of this file by name, as they were where it was written."""
        units, higher = (self.scores.get(key, ()) for key in ("units", "higher_is_better"))
        return {
            name: Column(name, scale_label(scale, units[name] if units else ""), name in higher)
            for name, scale in self.scores["scales"].items()
        }

    def examples(self) -> list[dict[str, Any]]:
        """Name, rank, metric and value of the pictures that were kept, and are still there."""
        return [e for e in self.scores.get("examples", []) if self.pictures[e["rank"]]]

    def json(self) -> str:
        """All of it, as eval.py wrote it."""
        return json.dumps(self.scores, indent=1)

    def csv(self) -> str:
        """One line per picture."""
        return csv_text(["name", *self.scores["scales"]], self.scores["pictures"])


def read_run(path: str | Path, label: str | None = None) -> Run:
    """Read OUT.json, and OUT-pictures/ and OUT-robustness.json where they are.

    Raises BadInput for what eval.py did not write.
    """
    path = Path(path)
    scores = read_json(path)
    if not (isinstance(scores, dict) and scores.keys() >= KEYS):
        raise BadInput(f"{path} holds no scores of eval.py ({', '.join(sorted(KEYS))})")
    curves = path.with_name(f"{path.stem}-robustness.json")
    folder = path.with_name(f"{path.stem}-pictures")
    pictures = {e["rank"]: _pictures(folder, e["rank"]) for e in scores.get("examples", [])}
    read = read_curves(curves) if curves.is_file() else {}
    return Run(label or path.stem, scores, read, pictures)


def read_json(path: Path) -> Any:
    """What a JSON file holds; BadInput for a missing or broken one."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read {path} ({error.strerror})") from None
    except ValueError as error:
        raise BadInput(f"{path} is no JSON ({error})") from None


def read_curves(path: Path) -> Curves:
    """{curve: [{level, metric: value, ...}, ...]}, sorted by level, without missing values."""
    content = read_json(path)
    try:
        rows = {
            name: [{k: v for k, v in point.items() if v is not None} for point in points]
            for name, points in content.items()
        }
        return {name: sorted(points, key=itemgetter("level")) for name, points in rows.items()}
    except (AttributeError, KeyError, TypeError):
        raise BadInput(
            f"{path} holds no curves: expected {{curve: [{{level, mad, ...}}, ...]}}"
        ) from None


def _pictures(folder: Path, rank: str) -> dict[str, str]:
    """Data URIs of one example's pictures; those that are gone or far too large are left out."""
    pictures = {}
    for kind in KINDS:
        file = folder / f"{rank}-{kind}.png"
        if file.is_file() and file.stat().st_size <= LARGEST:
            pictures[kind] = data_uri(file.read_bytes(), "image/png")
    return pictures


def data_uri(content: bytes | str, kind: str) -> str:
    """Bytes or text as an address that needs no network."""
    content = content.encode() if isinstance(content, str) else content
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
