"""bgm matrix: try every way to export a network, and write down how each ended."""

import json
from pathlib import Path

from bgm.cli.launch import compose_config
from bgm.cli.matrix.pages import write_pages
from bgm.cli.matrix.run import Result, Worker, command_lines, compose_export, is_wanted
from bgm.console import say, tracked
from bgm.errors import BadInput
from bgm.export import all_targets, provenance
from bgm.export.certify.certificate import environment


def main(args: list[str]) -> None:
    """Try the command lines that have no result yet, and write both pages anew after each.

    Results gather in OUT.jsonl, so that a stopped run goes on where it was; they count for the
    checkpoint and the package versions that they were made with.
    """
    cfg = compose_config("matrix", args)
    log = Path(f"{cfg.out}.jsonl")
    log.parent.mkdir(parents=True, exist_ok=True)
    packages = sorted({name for target in all_targets().values() for name in target.packages})
    versions = {  # what results depend on
        "checkpoint_sha256": provenance(cfg.ckpt)["checkpoint_sha256"],
        "packages": environment(packages)["packages"],
    }
    wanted = [(words, "brief") for words in command_lines(cfg)]
    recommended = [line.split() for line in cfg.recommended]  # certified over the whole grid
    wanted += [(words, "default") for words in recommended if is_wanted(words, cfg.only)]
    if not wanted:
        raise BadInput(f"only={list(cfg.only)} leaves no command line, expected words of export.py")
    results = read_results(log, versions)
    missing = [x for x in wanted if cfg.again or key(*x) not in results]
    for words, _ in missing:  # one that means nothing ends the run here
        compose_export(words)
    say(f"{len(wanted)} command lines, {len(missing)} to try")
    worker = Worker(cfg.ckpt)
    for words, grid in tracked(missing, "exporting"):
        result = results[key(words, grid)] = worker.run(words, grid)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"versions": versions, "result": vars(result)}) + "\n")
        say(f"{result.status:8} {' '.join(words)} {result.message}")
        write_pages(Path(cfg.out), list(results.values()), versions)
    worker.stop()
    say(*write_pages(Path(cfg.out), list(results.values()), versions), sep="\n")


def key(words: list[str], grid: str) -> str:
    return f"{' '.join(words)} ({grid})"


def read_results(log: Path, versions: dict) -> dict[str, Result]:
    """The latest result of every command line tried with this checkpoint and these packages."""
    results = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        record = json.loads(line)
        if record["versions"] == versions:
            result = Result(**record["result"])
            results[key(result.words, result.grid)] = result
    return results
