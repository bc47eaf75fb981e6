"""The export matrix as a CSV and as a page of Markdown."""

import csv
import io
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from bgm.cli.matrix.run import Cell
from bgm.files import write_text

METHODS = ("crop", "replace", "select")
SELECTS = ("sampling", "thresholding", "full")


def write_pages(out: Path, cells: list[Cell], about: dict) -> list[Path]:
    """Write OUT.csv (every cell, every number) and OUT.md (tables for people)."""
    paths = [Path(f"{out}.csv"), Path(f"{out}.md")]
    write_text(paths[0], as_csv(cells))
    write_text(paths[1], as_markdown(cells, about))
    return paths


def as_csv(cells: list[Cell]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    names = [f.name for f in fields(Cell) if f.name not in ("words", "mad")]
    rows.writerow(["export.py", *names, "mad_network", "mad_file"])
    for cell in cells:
        numbers = ["" if (v := getattr(cell, n)) is None else v for n in names]
        mads = [cell.mad.get(k, "") for k in ("network", "file")]
        rows.writerow([" ".join(cell.words), *numbers, *mads])
    return text.getvalue()


def as_markdown(cells: list[Cell], about: dict) -> str:
    """Date and versions, the certified pairs, a table for each way of exporting, what was said."""
    brief = [c for c in cells if c.grid == "brief"]
    said: dict[str, int] = {}
    groups: dict[str, list[Cell]] = {}
    for cell in brief:
        groups.setdefault(way(cell), []).append(cell)
    tables = [table(name, group, said) for name, group in groups.items()]
    sentences = [f"{number}. {text}" for text, number in said.items()]
    parts = [heading(brief, about), certified([c for c in cells if c.grid != "brief"], said)]
    notes = ["## What was said", "\n".join(sentences)] if sentences else []
    return "\n\n".join(p for p in [*parts, *tables, *notes] if p) + "\n"


def heading(cells: list[Cell], about: dict) -> str:
    counts = {s: sum(c.status == s for c in cells) for s in ("works", "wrong", "refused")}
    packages = ", ".join(f"{name} {number}" for name, number in about["packages"].items())
    return f"""# What exports, and what computes what it should

{datetime.now(UTC):%Y-%m-%d}, on a CPU; {packages}; checkpoint sha256 {about["checkpoint_sha256"]}.
Written by `bgm matrix` (conf/matrix.yaml): {len(cells)} cells, {counts["works"]} work, \
{counts["wrong"]} wrong, {counts["refused"]} refused.

A cell is a command line of `export.py`. "works": within the precision's limits at two batches of \
two sizes (or in its one shape), with smooth pictures and with an error in the last picture only; \
then the largest error of any output, and the time as a ratio to PyTorch in the same run. \
"wrong": it runs and computes something else; `export.py` refuses it after trying, as it does \
every file over a limit. "refused": before or while writing, or by the runtime; the numbers lead \
to the sentences below. Empty cells were not tried."""


def certified(cells: list[Cell], said: dict[str, int]) -> str:
    """The pairs that went through the whole grid and the matting set."""
    if not cells:
        return ""
    lines = [
        "## Certified over the whole grid",
        "| export.py | result | mean error of alpha | MAD x1e3: PyTorch, file |",
        "| --- | --- | --- | --- |",
    ]
    for cell in cells:
        mean = "" if cell.pha_mean is None else f"{cell.pha_mean:.1e}"
        mad = ", ".join(f"{cell.mad[k]:.3f}" for k in ("network", "file") if k in cell.mad)
        lines.append(f"| `{' '.join(cell.words)}` | {result(cell, said)} | {mean} | {mad} |")
    return "\n".join([lines[0], "", *lines[1:]])


def table(name: str, cells: list[Cell], said: dict[str, int]) -> str:
    """Crop and replace down, selections across; one line for what has no patches."""
    found = {tuple(value(c, m) for m in METHODS): c for c in cells}
    if set(found) == {("", "", "")}:
        return f"## `{name}`\n\n{result(cells[0], said)}"
    lines = [f"| crop, replace | {' | '.join(SELECTS)} |", "| --- |" + " --- |" * len(SELECTS)]
    for crop, replace in dict.fromkeys(k[:2] for k in found):
        row = [found.get((crop, replace, select)) for select in SELECTS]
        shown = " | ".join(result(c, said) if c else "" for c in row)
        lines.append(f"| {crop}, {replace} | {shown} |")
    return "\n".join([f"## `{name}`", "", *lines])


def result(cell: Cell, said: dict[str, int]) -> str:
    if cell.status == "works":
        return f"works, {cell.largest:.0e}, time x{cell.ratio:.2f}"
    return f"**{cell.status}** [{said.setdefault(cell.said, len(said) + 1)}]"


def way(cell: Cell) -> str:
    """The words of a cell that are no patch methods."""
    return " ".join(w for w in cell.words if w.split("=")[0] not in METHODS)


def value(cell: Cell, name: str) -> str:
    return next((w.split("=", 1)[1] for w in cell.words if w.startswith(f"{name}=")), "")
