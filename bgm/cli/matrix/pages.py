"""The export matrix as a CSV and as a page of Markdown."""

import csv
import io
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

from bgm.cli.matrix.run import Result
from bgm.files import write_text

METHODS = ("crop", "replace", "select")
SELECTS = ("sampling", "thresholding", "full")


def write_pages(out: Path, results: list[Result], versions: dict) -> list[Path]:
    """Write OUT.csv (every result, every number) and OUT.md (tables for people)."""
    paths = [Path(f"{out}.csv"), Path(f"{out}.md")]
    write_text(paths[0], as_csv(results))
    write_text(paths[1], as_markdown(results, versions))
    return paths


def as_csv(results: list[Result]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    names = [f.name for f in fields(Result) if f.name not in ("words", "mad")]
    rows.writerow(["export.py", *names, "mad_network", "mad_file"])
    for result in results:
        numbers = ["" if (v := getattr(result, n)) is None else v for n in names]
        mads = [result.mad.get(k, "") for k in ("network", "file")]
        rows.writerow([" ".join(result.words), *numbers, *mads])
    return text.getvalue()


def as_markdown(results: list[Result], versions: dict) -> str:
    """Date and versions, what was certified, a table for each way of exporting, the messages."""
    messages: dict[str, int] = {}  # of refusals, by number
    brief = [r for r in results if r.grid == "brief"]
    groups: dict[str, list[Result]] = {}
    for result in brief:
        groups.setdefault(without_methods(result), []).append(result)
    parts = [heading(brief, versions)]
    parts += [certified([r for r in results if r.grid != "brief"], messages)]
    parts += [table(name, group, messages) for name, group in groups.items()]
    if messages:
        parts += ["## Messages", "\n".join(f"{number}. {x}" for x, number in messages.items())]
    return "\n\n".join(part for part in parts if part) + "\n"


def heading(results: list[Result], versions: dict) -> str:
    counts = {s: sum(r.status == s for r in results) for s in ("works", "wrong", "refused")}
    packages = ", ".join(f"{name} {number}" for name, number in versions["packages"].items())
    return f"""# What exports, and what computes what it should

{datetime.now(UTC):%Y-%m-%d}, on a CPU; {packages}; \
checkpoint sha256 {versions["checkpoint_sha256"]}.
Written by `bgm matrix` (conf/matrix.yaml): {len(results)} command lines of `export.py`, \
{counts["works"]} work, {counts["wrong"]} wrong, {counts["refused"]} refused.

"works": within the precision's limits at two batches of two sizes (or in its one shape), with \
smooth pictures and with an error in the last picture only; then the largest error of any output, \
and the time as a ratio to PyTorch in the same run. "wrong": it runs and computes something else; \
`export.py` refuses it after trying, as it does every file over a limit. "refused": before or \
while writing, or by the runtime; the numbers lead to the messages below. What is empty was not \
tried."""


def certified(results: list[Result], messages: dict[str, int]) -> str:
    """What went through the whole grid and the matting set."""
    if not results:
        return ""
    lines = [
        "## Certified over the whole grid",
        "",
        "| export.py | result | mean error of alpha | MAD x1e3: PyTorch, file |",
        "| --- | --- | --- | --- |",
    ]
    for result in results:
        mean = "" if result.pha_mean is None else f"{result.pha_mean:.1e}"
        mad = ", ".join(f"{result.mad[k]:.3f}" for k in ("network", "file") if k in result.mad)
        lines.append(f"| `{' '.join(result.words)}` | {shown(result, messages)} | {mean} | {mad} |")
    return "\n".join(lines)


def table(name: str, results: list[Result], messages: dict[str, int]) -> str:
    """Crop and replace down, selections across; one line for what has no patches."""
    by_methods = {tuple(value(r, m) for m in METHODS): r for r in results}
    if set(by_methods) == {("", "", "")}:
        return f"## `{name}`\n\n{shown(results[0], messages)}"
    lines = [f"| crop, replace | {' | '.join(SELECTS)} |", "| --- |" + " --- |" * len(SELECTS)]
    for crop, replace in dict.fromkeys(k[:2] for k in by_methods):
        row = [by_methods.get((crop, replace, select)) for select in SELECTS]
        texts = " | ".join(shown(r, messages) if r else "" for r in row)
        lines.append(f"| {crop}, {replace} | {texts} |")
    return "\n".join([f"## `{name}`", "", *lines])


def shown(result: Result, messages: dict[str, int]) -> str:
    if result.status == "works":
        return f"works, {result.largest:.0e}, time x{result.ratio:.2f}"
    return f"**{result.status}** [{messages.setdefault(result.message, len(messages) + 1)}]"


def without_methods(result: Result) -> str:
    """The words of a command line that are no patch methods."""
    return " ".join(w for w in result.words if w.split("=")[0] not in METHODS)


def value(result: Result, name: str) -> str:
    return next((w.split("=", 1)[1] for w in result.words if w.startswith(f"{name}=")), "")
