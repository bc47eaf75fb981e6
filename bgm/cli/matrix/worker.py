"""A process of its own to export in: other projects' code may take a process down with it."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from bgm.cli.matrix.run import Exporter, Result

LONGEST = 1800  # seconds for one command line


class Worker:
    """Runs command lines of export.py in another process, and replaces it when it dies."""

    def __init__(self, ckpt: str, method: str = "spawn"):
        self.ckpt, self.context = ckpt, multiprocessing.get_context(method)
        self.start()

    def start(self) -> None:
        self.pool = ProcessPoolExecutor(1, self.context)

    def run(self, words: list[str], grid: str) -> Result:
        """The result of a command line; a process that dies or takes too long is a refusal."""
        try:
            return self.pool.submit(export, self.ckpt, words, grid).result(LONGEST)
        except TimeoutError:
            message = f"no answer after {LONGEST} s"
        except BrokenProcessPool:
            message = "the process died"
        self.stop()
        self.start()
        return Result(words, "refused", message, grid=grid)

    def stop(self) -> None:
        for process in multiprocessing.active_children():
            process.kill()
        self.pool.shutdown()


def export(ckpt: str, words: list[str], grid: str) -> Result:
    """What the process does. Opening the checkpoint anew takes far less than an export."""
    return Exporter(ckpt).run(words, grid)
