"""The export matrix as a CSV and as a page of Markdown."""

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from bgm.cli.matrix.run import Result
from bgm.files import write_text
from bgm.metrics.scores import csv_text
from bgm.templates import fill_template

METHODS = ("crop", "replace", "select")
SELECTS = ["sampling", "thresholding", "full"]


def write_pages(out: Path, results: list[Result], versions: dict) -> list[Path]:
    """Write OUT.csv (every result, every number) and OUT.md (tables for people)."""
    paths = [Path(f"{out}.csv"), Path(f"{out}.md")]
    names = [f.name for f in fields(Result) if f.name not in ("words", "mad")]
    rows = [
        {"export.py": " ".join(r.words)} | vars(r) | {f"mad_{k}": v for k, v in r.mad.items()}
        for r in results
    ]
    write_text(paths[0], csv_text(["export.py", *names, "mad_network", "mad_file"], rows))
    write_text(paths[1], as_markdown(results, versions))
    return paths


def as_markdown(results: list[Result], versions: dict) -> str:
    """Date and versions, what was certified, a table for each way of exporting, the messages."""
    messages: dict[str, int] = {}  # of refusals, by number
    brief = [r for r in results if r.grid == "brief"]
    groups: dict[str, list[Result]] = {}
    for result in brief:
        name = " ".join(w for w in result.words if w.split("=")[0] not in METHODS)
        groups.setdefault(name, []).append(result)
    return fill_template(
        Path(__file__).with_name("matrix.md"),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        **versions,
        brief=brief,
        counts={s: sum(r.status == s for r in brief) for s in ("works", "wrong", "refused")},
        certified=[certified(r, messages) for r in results if r.grid != "brief"],
        groups={name: by_methods(group, messages) for name, group in groups.items()},
        selects=SELECTS,
        messages=messages,
    )


def certified(result: Result, messages: dict[str, int]) -> list[str]:
    """The row of what went through the whole grid and the matting set."""
    mean = "" if result.pha_mean is None else f"{result.pha_mean:.1e}"
    mad = ", ".join(f"{result.mad[k]:.3f}" for k in ("network", "file") if k in result.mad)
    return [f"`{' '.join(result.words)}`", shown(result, messages), mean, mad]


def by_methods(results: list[Result], messages: dict[str, int]) -> list[list[str]] | str:
    """Crop and replace down, selections across; one line for what has no patches."""
    found = {tuple(value(r, m) for m in METHODS): shown(r, messages) for r in results}
    if set(found) == {("", "", "")}:
        return found["", "", ""]
    return [
        [f"{crop}, {replace}", *(found.get((crop, replace, select), "") for select in SELECTS)]
        for crop, replace in dict.fromkeys(key[:2] for key in found)
    ]


def shown(result: Result, messages: dict[str, int]) -> str:
    if result.status == "works":
        return f"works, {result.largest:.0e}, time x{result.ratio:.2f}"
    return f"**{result.status}** [{messages.setdefault(result.message, len(messages) + 1)}]"


def value(result: Result, name: str) -> str:
    return next((w.split("=", 1)[1] for w in result.words if w.startswith(f"{name}=")), "")
