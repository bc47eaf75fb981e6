"""bgm matrix: try every way to export a network, and write down how each ended."""

import json
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from bgm.cli.launch import as_typed
from bgm.cli.matrix.pages import write_pages
from bgm.cli.matrix.run import Result, command_lines, compose_export
from bgm.cli.matrix.worker import Worker
from bgm.console import say, tracked
from bgm.errors import BadInput
from bgm.export import all_targets, provenance
from bgm.export.certify.certificate import environment
from bgm.paths import conf_dir


def main(args: list[str]) -> None:
    """Try the command lines that have no result yet, and write both pages anew after each.

    Results gather in OUT.jsonl, so that a stopped run goes on where it was; they count for the
    checkpoint and the package versions that they were made with.
    """
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("matrix", as_typed(args))
    log = Path(f"{cfg.out}.jsonl")
    log.parent.mkdir(parents=True, exist_ok=True)
    versions = checkpoint_and_versions(cfg.ckpt)
    wanted = [(words, "brief") for words in command_lines(cfg)] + recommended(cfg)
    if not wanted:
        raise BadInput(f"only={list(cfg.only)} leaves no command line, expected words of export.py")
    known = {} if cfg.again else read_results(log, versions)
    missing = [x for x in wanted if key(*x) not in known]
    check_words([words for words, _ in missing])
    say(f"{len(wanted)} command lines, {len(missing)} to try")
    worker = Worker(cfg.ckpt)
    for words, grid in tracked(missing, "exporting"):
        result = worker.run(words, grid)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"versions": versions, "result": vars(result)}) + "\n")
        say(f"{result.status:8} {' '.join(words)} {result.message}")
        write_pages(Path(cfg.out), list(read_results(log, versions).values()), versions)
    worker.stop()
    pages = write_pages(Path(cfg.out), list(read_results(log, versions).values()), versions)
    say(*pages, sep="\n")


def check_words(lines: list[list[str]]) -> None:
    """Compose enough of the lines to meet every word: one that means nothing ends the run here."""
    seen: set[tuple[str, str]] = set()
    for words in lines:
        pairs = {(words[0], word) for word in words}
        if not pairs <= seen:
            compose_export(words)
            seen |= pairs


def recommended(cfg: DictConfig) -> list[tuple[list[str], str]]:
    """One command line a target, certified over the whole grid; `only` counts here as well."""
    lines = [line.split() for line in cfg.recommended]
    kept = [words for words in lines if all(any(o in w for w in words) for o in cfg.only)]
    return [(words, "default") for words in kept]


def checkpoint_and_versions(ckpt: str) -> dict:
    """What results depend on: the checkpoint and the versions of all targets' packages."""
    packages = {name for target in all_targets().values() for name in target.packages}
    return {
        "checkpoint_sha256": provenance(ckpt)["checkpoint_sha256"],
        "packages": environment(sorted(packages))["packages"],
    }


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
