"""A process of its own to export in: other projects' code may take a process down with it."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from bgm.cli.matrix.run import Result, try_export

LONGEST = 1800  # seconds for one command line


class Worker:
    """Runs command lines of export.py in another process, and replaces it when it dies."""

    def __init__(self, ckpt: str, method: str = "spawn"):
        self.ckpt, self.context = ckpt, multiprocessing.get_context(method)
        self.pool = ProcessPoolExecutor(1, self.context)

    def run(self, words: list[str], grid: str) -> Result:
        """The result of a command line; a process that dies or takes too long is a refusal."""
        try:
            return self.pool.submit(try_export, self.ckpt, words, grid).result(LONGEST)
        except TimeoutError:
            message = f"no answer after {LONGEST} s"
        except BrokenProcessPool:
            message = "the process died"
        self.stop()
        self.pool = ProcessPoolExecutor(1, self.context)
        return Result(words, "refused", message, grid=grid)

    def stop(self) -> None:
        for process in multiprocessing.active_children():
            process.kill()
        self.pool.shutdown()
