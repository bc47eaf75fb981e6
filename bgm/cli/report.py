"""bgm report: scores of one or more runs in one HTML file that needs no network."""

from bgm.console import say
from bgm.errors import BadInput
from bgm.eval.report import write_report

USAGE = "bgm report takes SCORES.json ... out=FILE.html"


def main(args: list[str]) -> None:
    """Write out=FILE.html of the JSON files that eval.py wrote."""
    outs = [a.removeprefix("out=") for a in args if a.startswith("out=")]
    files = [a for a in args if not a.startswith("out=")]
    if len(outs) != 1 or not files:
        raise BadInput(f"{USAGE}, found {len(files)} files and {len(outs)} out=")
    say(*write_report(files, outs[0]))
