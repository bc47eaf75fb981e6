"""Time of an exported file beside that of its network in eager PyTorch, in one run."""

from math import prod
from time import perf_counter

import torch
from torch import nn

from bgm.export.certify.check import Report
from bgm.export.certify.compare import Run
from bgm.export.certify.test_pictures import Draw
from bgm.export.shapes import Shape

LONGEST_CALL = 5.0  # seconds; a runtime that needs more is timed on a smaller picture
ROUNDS = 3


@torch.no_grad()
def measure_time(net: nn.Module, run: Run, shape: Shape, draw: Draw) -> dict:
    """Best seconds per picture of net and run, alternating so that a busy machine slows both.

    ratio: file / network, below 1 where the file is faster.
    """
    src, bgr = draw(*shape)
    best = {"file": torch.inf, "network": torch.inf}
    for _ in range(ROUNDS + 1):  # the first one warms both up
        for name, work in (("file", run), ("network", net)):
            start = perf_counter()
            work(src, bgr)
            best[name] = min(best[name], (perf_counter() - start) / shape.batch)
    return {
        "shape": list(shape),
        "threads": torch.get_num_threads(),
        "rounds": ROUNDS,
        "file_seconds": best["file"],
        "network_seconds": best["network"],
        "ratio": best["file"] / best["network"],
    }


def affordable_shape(report: Report, wanted: Shape) -> Shape:
    """The wanted shape, or the smallest one of the report where a runtime is too slow for it."""
    seconds = {Shape(x.batch, x.height, x.width): x.seconds for x in report.comparisons}
    largest = max(seconds, key=prod)
    if seconds[largest] / prod(largest) * prod(wanted) <= LONGEST_CALL:
        return wanted
    return min(seconds, key=prod)
