"""Time an exported .onnx file in onnxruntime against its network in eager PyTorch, in one run.

    python benchmarks/export.py CHECKPOINT MODEL.onnx [WIDTHxHEIGHT] [ROUNDS] [THREADS]

Both get the same number of threads (2) and the same picture (1920x1080), and take turns, so that a
busy machine slows both. Prints best and median seconds, their ratio (below 1: the file is faster)
and the machine's load. Best is what a quiet machine would give; on a busy one look at the medians
of many rounds as well.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable

import torch

import bgm
from bgm.export import open_onnx
from bgm.export.certify.test_pictures import smooth
from bgm.export.prepare import isolated


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@torch.no_grad()
def main(ckpt: str, model: str, size: str = "1920x1080", rounds: str = "7", threads: str = "2"):
    """Print the times and the ratio."""
    torch.set_num_threads(int(threads))
    width, height = (int(n) for n in size.split("x"))
    net, file = isolated(bgm.load(ckpt)), open_onnx(model)
    src, bgr = smooth(1, height, width)
    work = {"onnxruntime": lambda: file(src, bgr), "eager": lambda: net(src, bgr)}
    before = os.getloadavg()[0]
    turns = [{name: seconds(run) for name, run in work.items()} for _ in range(int(rounds) + 1)]
    times = {name: [turn[name] for turn in turns[1:]] for name in work}  # the first one warms up
    for name, found in times.items():
        print(f"{name:12} best {min(found):.3f} s  median {statistics.median(found):.3f} s")
    best = min(times["onnxruntime"]) / min(times["eager"])
    middle = statistics.median(a / b for a, b in zip(*times.values(), strict=True))
    print(f"onnxruntime / eager: {best:.2f} of the best, {middle:.2f} in the median of the rounds")
    print(
        f"{size}, {threads} threads, {rounds} rounds, load {before:.1f} before and "
        f"{os.getloadavg()[0]:.1f} after, {os.cpu_count()} cores; torch {torch.__version__}"
    )


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
