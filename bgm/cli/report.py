"""bgm report: scores of one or more runs in one HTML file that needs no network."""

from collections.abc import Sequence
from pathlib import Path

from bgm.console import say
from bgm.errors import BadInput
from bgm.eval.report import page, read_run
from bgm.files import write_text

USAGE = "bgm report takes SCORES.json ... out=FILE.html"


def main(args: list[str]) -> None:
    """Write out=FILE.html of the JSON files that eval.py wrote."""
    outs = [a.removeprefix("out=") for a in args if a.startswith("out=")]
    files = [a for a in args if not a.startswith("out=")]
    if len(outs) != 1 or not files:
        raise BadInput(f"{USAGE}, found {len(files)} files and {len(outs)} out=")
    say(*write_report(files, outs[0]))


def write_report(files: Sequence[str | Path], out: str | Path | None) -> list[Path]:
    """Write the page of some OUT.json; returns its path, or none where none is asked for.

    Raises BadInput as `read_run` does.
    """
    if out is None:
        return []
    labels = labels_of([Path(f) for f in files])
    runs = [read_run(f, label) for f, label in zip(files, labels, strict=True)]
    title = labels[0] if len(runs) == 1 else " and ".join(labels[:3])
    write_text(out, page(runs, f"Matting scores: {title}"))
    return [Path(out)]


def labels_of(files: Sequence[Path]) -> list[str]:
    """File names without suffix; with their folders where names are not enough, then numbered."""
    for take in (lambda p: p.stem, lambda p: f"{p.parent.name}/{p.stem}"):
        labels = [take(f) for f in files]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{label} ({i})" for i, label in enumerate(labels, 1)]
