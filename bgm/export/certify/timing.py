"""Time of an exported file beside that of its network in eager PyTorch, in one run."""

from time import perf_counter

import torch
from torch import nn

from bgm.export.certify.check import Report
from bgm.export.certify.compare import Run
from bgm.export.certify.test_pictures import Content
from bgm.export.shapes import Shape

PATIENCE = 5.0  # seconds for one call; a runtime that needs more is timed on a smaller picture


@torch.no_grad()
def timed(net: nn.Module, run: Run, shape: Shape, draw: Content, rounds: int = 3) -> dict:
    """Best seconds per picture of net and run, alternating so that a busy machine slows both.

    ratio: file / network, below 1 where the file is faster.
    """
    src, bgr = draw(*shape)
    best = {"file": torch.inf, "network": torch.inf}
    for _ in range(rounds + 1):  # the first one warms both up
        for name, work in (("file", run), ("network", net)):
            start = perf_counter()
            work(src, bgr)
            best[name] = min(best[name], (perf_counter() - start) / shape.batch)
    return {
        "shape": list(shape),
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "file_seconds": best["file"],
        "network_seconds": best["network"],
        "ratio": best["file"] / best["network"],
    }


def affordable(report: Report, wanted: Shape) -> Shape:
    """The wanted shape, or the smallest one of the report where a runtime is too slow for it."""
    seconds = {Shape(t.batch, t.height, t.width): t.seconds for t in report.trials}
    largest = max(seconds, key=pixels)
    if seconds[largest] / pixels(largest) * pixels(wanted) <= PATIENCE:
        return wanted
    return min(seconds, key=pixels)


def pixels(shape: Shape) -> int:
    return shape.batch * shape.height * shape.width
