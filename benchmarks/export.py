"""Time an exported file against its network in eager PyTorch, in one run.

    python benchmarks/export.py CHECKPOINT MODEL.onnx [--size 1920x1080] [--rounds 7] [--threads 2]

Both get the same number of threads and the same picture, and take turns, so that a busy machine
slows both. Prints best and median seconds, their ratio (below 1: the file is faster) and the
machine's load. Best is what a quiet machine would give; on a busy one look at the medians of many
rounds as well.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch

import bgm
from bgm.export import open_exported
from bgm.export.certify.test_pictures import smooth
from bgm.export.prepare import copy_to_cpu


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@torch.no_grad()
def main() -> None:
    """Print the times and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint")
    parser.add_argument("model", help="an exported file of it")
    parser.add_argument("--size", default="1920x1080", help="WIDTHxHEIGHT")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    width, height = (int(n) for n in args.size.split("x"))
    net, file = copy_to_cpu(bgm.load(args.checkpoint)), open_exported(args.model)
    src, bgr = smooth(1, height, width)
    work = {"file": lambda: file(src, bgr), "eager": lambda: net(src, bgr)}
    before = os.getloadavg()[0]
    turns = [{name: seconds(run) for name, run in work.items()} for _ in range(args.rounds + 1)]
    times = {name: [turn[name] for turn in turns[1:]] for name in work}  # the first one warms up
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:6} best {min(measured):.3f} s  median {median:.3f} s")
    best = min(times["file"]) / min(times["eager"])
    middle = statistics.median(a / b for a, b in zip(*times.values(), strict=True))
    print(f"file / eager: {best:.2f} of the best, {middle:.2f} in the median of the rounds")
    print(
        f"{args.size}, {args.threads} threads, {args.rounds} rounds, load {before:.1f} before and "
        f"{os.getloadavg()[0]:.1f} after, {os.cpu_count()} cores; torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
