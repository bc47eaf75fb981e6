"""The export matrix as a CSV, which is read again, and as a page of Markdown."""

import csv
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from bgm.cli.matrix.run import Result, title
from bgm.errors import BadInput
from bgm.files import write_text
from bgm.metrics.scores import csv_text
from bgm.templates import fill_template

METHODS = ("crop", "replace", "select")
SELECTS = ["sampling", "thresholding", "full"]
COLUMNS = [f.name for f in fields(Result) if f.name != "words"]
TEXTS = ("status", "message", "grid", "date", "made_with")


def write_pages(out: Path, results: list[Result]) -> list[Path]:
    """Write OUT.csv (every result, every number) and OUT.md (tables for people)."""
    paths = [Path(f"{out}.csv"), Path(f"{out}.md")]
    rows = [
        {"export.py": " ".join(x.words), **{n: cell(getattr(x, n)) for n in COLUMNS}}
        for x in results
    ]
    write_text(paths[0], csv_text(["export.py", *COLUMNS], rows))
    write_text(paths[1], as_markdown(results))
    return paths


def cell(value: str | float | None) -> str:
    return f"{value:.6g}" if isinstance(value, float | int) else value or ""


def read_results(out: Path) -> dict[str, Result]:
    """The results of OUT.csv by their titles; none where there is no such file.

    Raises BadInput for an OUT.csv of something else, and for an OUT.md without it: both would be
    written over.
    """
    if not Path(f"{out}.csv").exists():
        if Path(f"{out}.md").exists():
            raise BadInput(f"{out}.md is there without {out}.csv: move it, or name another out=...")
        return {}
    results: dict[str, Result] = {}
    with open(f"{out}.csv", encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if not {"export.py", *COLUMNS} <= set(rows.fieldnames or ()):
            raise BadInput(f"{out}.csv holds no results of bgm matrix: name another out=...")
        for row in rows:
            words = row.pop("export.py").split()
            values: dict[str, Any] = {n: row[n] if n in TEXTS else number(row[n]) for n in COLUMNS}
            results[title(words, row["grid"])] = Result(words, **values)
    return results


def number(text: str) -> float | None:
    return float(text) if text else None


class Marks(NamedTuple):
    """What stands beside a result: the number of its message, the letter of what it was made with.

    The newest, of one day the larger, has no letter.
    """

    messages: dict[str, int]
    origins: dict[str, str]


def as_markdown(results: list[Result]) -> str:
    """What was certified, a table for each way of exporting, the messages, the origins."""
    runs: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda r: r.date, reverse=True):
        runs.setdefault(result.made_with, []).append(result)
    newest_first = sorted(runs.items(), key=lambda x: (x[1][0].date, len(x[1])), reverse=True)
    runs = dict(newest_first)  # of one day the larger
    marks = Marks({}, {origin: chr(ord("`") + n) if n else "" for n, origin in enumerate(runs)})
    results = sorted(results, key=lambda r: (list(runs).index(r.made_with), r.words))
    groups: dict[str, list[Result]] = {}
    for result in (r for r in results if value(r, "select")):
        name = " ".join(w for w in result.words if w.split("=")[0] not in METHODS)
        groups.setdefault(name, []).append(result)
    return fill_template(
        Path(__file__).with_name("matrix.md"),
        results=results,
        counts={s: sum(r.status == s for r in results) for s in ("works", "wrong", "refused")},
        certified=[certified_row(r, marks) for r in results if not value(r, "select")],
        groups={name: by_methods(group, marks) for name, group in groups.items()},
        selects=SELECTS,
        messages=marks.messages,
        runs=[
            (marks.origins[origin], run[0].date, len(run), origin) for origin, run in runs.items()
        ],
    )


def certified_row(result: Result, marks: Marks) -> list[str]:
    """What went through the whole grid and the matting set, or through a brief one."""
    mean = "" if result.pha_mean is None else f"{result.pha_mean:.1e}"
    eager = "" if not result.eager else f"{result.eager:.1e}"
    mads = [x for x in (result.mad_network, result.mad_file) if x is not None]
    mad = ", ".join(f"{x:.3f}" for x in mads)
    words = f"`{' '.join(result.words)}`"
    return [words, result.grid, shown(result, marks), eager, mean, mad, f"{result.seconds:.0f}"]


def by_methods(results: list[Result], marks: Marks) -> list[list[str]]:
    """Crop and replace down, selections across."""
    found = {tuple(value(r, m) for m in METHODS): shown(r, marks) for r in results}
    return [
        [
            f"{crop or 'its own'}, {replace or 'its own'}",
            *(found.get((crop, replace, select), "") for select in SELECTS),
        ]
        for crop, replace in dict.fromkeys(key[:2] for key in found)
    ]


def shown(result: Result, marks: Marks) -> str:
    origin = marks.origins[result.made_with]
    mark = f" ({origin})" if origin else ""
    if result.status == "works":
        return f"works, {result.largest:.0e}, time x{result.ratio:.2f}{mark}"
    messages = marks.messages
    return f"**{result.status}** [{messages.setdefault(result.message, len(messages) + 1)}]{mark}"


def value(result: Result, name: str) -> str:
    return next((w.split("=", 1)[1] for w in result.words if w.startswith(f"{name}=")), "")
