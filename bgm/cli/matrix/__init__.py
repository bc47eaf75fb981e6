"""bgm matrix: try every way to export a network, and write down how each ended."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bgm.cli.launch import compose_config
from bgm.cli.matrix.pages import read_results, write_pages
from bgm.cli.matrix.run import Worker, command_lines, compose_export, several, title
from bgm.console import say, tracked
from bgm.errors import BadInput
from bgm.export import all_targets, provenance
from bgm.export.certify.certificate import environment


def main(args: list[str]) -> None:
    """Try the command lines that have no result yet, and write both pages anew after each.

    Results gather in OUT.csv, so that a stopped run goes on where it was. One of another checkpoint
    or of other package versions stays, with its date, until it is tried again.
    """
    cfg = compose_config("matrix", args)
    out = Path(cfg.out)
    ckpts = several(cfg.ckpt)
    wanted = [(words, "brief") for words in command_lines(cfg.groups, ckpts[:1], cfg.only)]
    wanted += [(words, cfg.grid) for words in command_lines(cfg.certified, ckpts, cfg.only)]
    if not wanted:
        raise BadInput(f"only={list(cfg.only)} leaves no command line, expected words of export.py")
    results, here = read_results(out), {f"ckpt={ckpt}": made_with(ckpt) for ckpt in ckpts}
    done = {name for name, x in results.items() if x.made_with == here.get(x.words[0])}
    missing = [
        (words, grid)
        for words, grid in wanted
        if cfg.again or not {title(words, grid), title(words, "default")} & done
    ]
    for words, _ in missing:  # one that means nothing ends the run here
        compose_export(words)
    out.parent.mkdir(parents=True, exist_ok=True)
    say(f"{len(wanted)} command lines, {len(missing)} to try")
    worker = Worker()
    try:
        for words, grid in tracked(missing, "exporting"):
            result = worker.run(words, grid)
            date = f"{datetime.now(UTC):%Y-%m-%d}"
            results.pop(title(words, "brief"), None)  # the default grid holds more
            results[title(words, grid)] = replace(result, date=date, made_with=here[words[0]])
            say(f"{result.status:8} {' '.join(words)} {result.message}")
            write_pages(out, list(results.values()))
    finally:
        worker.stop()
    say(*write_pages(out, list(results.values())), sep="\n")


def made_with(ckpt: str) -> str:
    """What its results depend on: a checkpoint's bytes and versions of all targets' packages."""
    origin = provenance(ckpt)
    packages = {name for target in all_targets().values() for name in target.packages}
    versions = environment(sorted(packages))["packages"]
    names = [f"{origin['checkpoint']} sha256 {origin['checkpoint_sha256'][:12]}"]
    return ", ".join(names + [f"{name} {version}" for name, version in versions.items()])
