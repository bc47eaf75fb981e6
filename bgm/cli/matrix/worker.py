"""A process of its own to export in: other projects' code may take a process down with it."""

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

from bgm.cli.matrix.run import Exporter, Result

LONGEST = 1800  # seconds for one command line


class Worker:
    """Runs command lines of export.py in another process, and replaces it when it dies."""

    def __init__(self, ckpt: str, method: str = "spawn"):
        self.ckpt = ckpt
        self.context: Any = multiprocessing.get_context(method)
        self.start()

    def start(self) -> None:
        self.here, there = self.context.Pipe()
        self.process = self.context.Process(target=serve, args=(there, self.ckpt), daemon=True)
        self.process.start()
        there.close()

    def run(self, words: list[str], grid: str) -> Result:
        """The result of a command line; a process that dies or takes too long is a refusal."""
        self.here.send((words, grid))
        try:
            if self.here.poll(LONGEST):
                return self.here.recv()
            message = f"no answer after {LONGEST} s"
        except EOFError:
            self.process.join()
            message = f"the process died (exit code {self.process.exitcode})"
        self.stop()
        self.start()
        return Result(words, "refused", message, grid=grid)

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()
        self.here.close()


def serve(pipe: Connection, ckpt: str) -> None:
    """Answer command lines until the other end closes."""
    exporter = Exporter(ckpt)
    while True:
        try:
            words, grid = pipe.recv()
        except EOFError:
            return
        pipe.send(exporter.run(words, grid))
