"""bgm matrix: try every way to export a network, and write down how each ended."""

import json
import multiprocessing
from collections.abc import Iterator
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from bgm.cli.launch import as_typed
from bgm.cli.matrix.pages import write_pages
from bgm.cli.matrix.run import Bench, Cell, command_lines, configured
from bgm.console import say, tracked
from bgm.errors import BadInput
from bgm.export import card
from bgm.export.certify.certificate import made
from bgm.paths import conf_dir

PATIENCE = 1800  # seconds for one cell


def main(args: list[str]) -> None:
    """Try the cells that have no result yet, one after the other, and write both pages anew.

    Results gather in OUT.jsonl, so that a stopped run goes on where it was; they count for the
    checkpoint and the package versions that they were made with.
    """
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("matrix", as_typed(args))
    log = Path(f"{cfg.out}.jsonl")
    log.parent.mkdir(parents=True, exist_ok=True)
    about = provenance(cfg.ckpt)
    wanted = [(words, "brief") for words in command_lines(cfg)] + recommended(cfg)
    if not wanted:
        raise BadInput(f"only={list(cfg.only)} leaves no cell, expected words of export.py")
    known = {} if cfg.again else results(log, about)
    todo = [x for x in wanted if key(*x) not in known]
    read_all([words for words, _ in todo])
    say(f"{len(wanted)} cells, {len(todo)} to try")
    worker = Worker(cfg.ckpt)
    for words, grid in tracked(todo, "exporting"):
        cell = worker.tried(words, grid)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"about": about, "cell": json.loads(cell.as_line())}) + "\n")
        say(f"{cell.status:8} {' '.join(words)} {cell.said}")
        write_pages(Path(cfg.out), list(results(log, about).values()), about)
    worker.stop()
    pages = write_pages(Path(cfg.out), list(results(log, about).values()), about)
    say(*pages, sep="\n")


def read_all(lines: list[list[str]]) -> None:
    """Compose enough of the lines to meet every word: one that means nothing ends the run here."""
    seen: set[tuple[str, str]] = set()
    for words in lines:
        pairs = {(words[0], word) for word in words}
        if not pairs <= seen:
            configured(words)
            seen |= pairs


def recommended(cfg: DictConfig) -> list[tuple[list[str], str]]:
    """One pair a target, certified over the whole grid; `only` counts here as well."""
    lines = [line.split() for line in cfg.recommended]
    kept = [words for words in lines if all(any(o in w for w in words) for o in cfg.only)]
    return [(words, "default") for words in kept]


def provenance(ckpt: str) -> dict:
    """What results depend on: checkpoint and package versions."""
    packages = made()["packages"]
    for name in ("ncnn", "pnnx", "executorch"):
        try:
            packages[name] = version(name)
        except ImportError:
            continue
    return {"checkpoint_sha256": card(ckpt)["checkpoint_sha256"], "packages": packages}


def key(words: list[str], grid: str) -> str:
    return f"{' '.join(words)} ({grid})"


def results(log: Path, about: dict) -> dict[str, Cell]:
    """The latest result of every cell that was tried with this checkpoint and these packages."""
    found = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        record = json.loads(line)
        if record["about"] == about:
            cell = Cell(**record["cell"])
            found[key(cell.words, cell.grid)] = cell
    return found


class Worker:
    """A process of its own for cells: other projects' code may take a process down with it."""

    def __init__(self, ckpt: str):
        self.ckpt = ckpt
        self.context = multiprocessing.get_context("spawn")
        self.start()

    def start(self) -> None:
        self.here, there = self.context.Pipe()
        self.process = self.context.Process(target=serve, args=(there, self.ckpt), daemon=True)
        self.process.start()
        there.close()

    def tried(self, words: list[str], grid: str) -> Cell:
        """The cell; a process that dies or takes too long is its refusal, and is replaced."""
        self.here.send((words, grid))
        try:
            if self.here.poll(PATIENCE):
                return self.here.recv()
            said = f"no answer after {PATIENCE} s"
        except EOFError:
            self.process.join()
            said = f"the process died (exit code {self.process.exitcode})"
        self.stop()
        self.start()
        return Cell(words, "refused", said, grid=grid)

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()
        self.here.close()


def serve(pipe: Connection, ckpt: str) -> None:
    """Answer cells until the other end closes."""
    bench = Bench(ckpt)
    for words, grid in received(pipe):
        pipe.send(bench.certified(words) if grid == "default" else bench.tried(words))


def received(pipe: Connection) -> Iterator[tuple[list[str], str]]:
    while True:
        try:
            yield pipe.recv()
        except EOFError:
            return
