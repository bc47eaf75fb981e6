"""What benchmarks of speed measure: times in turns, memory, multiply-adds, a machine's rates."""

import ctypes
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

Run = Callable[[], object]
Clock = Callable[[], float]
LEAST = 3  # rounds, however slow they are


def medians(
    runs: Mapping[str, Run], rounds: int, clock: Clock, seconds: float = float("inf")
) -> tuple[dict[str, float], int]:
    """Median seconds of each, all in turns so that a busy machine slows all alike, and the rounds.

    Before the rounds each runs once to warm up. After `seconds` no further round begins.
    """
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    start = time.perf_counter()
    done = 0
    while done < rounds and (done < LEAST or time.perf_counter() - start < seconds):
        for name, run in runs.items():
            begin = clock()
            run()
            times[name].append(clock() - begin)
        done += 1
    return {name: statistics.median(x) for name, x in times.items()}, done


def macs(run: Run) -> float:
    """Multiply-adds of convolutions and matrix products in one pass that torch can see."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2


def rates(clock: Clock) -> tuple[float, float]:
    """Multiply-adds a second of a large convolution or matrix product, bytes a second of a copy."""
    last = torch.channels_last
    x = torch.rand(1, 64, 270, 480).contiguous(memory_format=last)
    weight, square = torch.rand(64, 64, 3, 3).contiguous(memory_format=last), torch.rand(2048, 2048)
    big = torch.rand(2**26)
    other = torch.empty_like(big)
    runs = {
        "conv": lambda: F.conv2d(x, weight, padding=1),
        "matmul": lambda: square @ square,
        "copy": lambda: other.copy_(big),
    }
    found, _ = medians(runs, 10, clock)
    convolved = x.numel() * 64 * 9 / found["conv"]
    return max(convolved, 2048**3 / found["matmul"]), 2 * 4 * big.numel() / found["copy"]


def in_own_process(function: Callable[..., Any], *args: object) -> Any:
    """function(*args), computed in a fresh process; all of these can be pickled.

    Where memory is taken anew for every picture, a pass takes up to half as long again in a process
    that has run others. Raises BrokenProcessPool for a process that was killed.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def peak_memory(prepare: Callable[..., Run], *args: object) -> float:
    """MiB that prepare(*args)() needs above what its process, one of its own, held before.

    prepare and args can be pickled. NaN for a process that was killed, for want of memory.
    """
    try:
        return in_own_process(peak, prepare, *args)
    except BrokenProcessPool:
        return float("nan")


def peak(prepare: Callable[..., Run], *args: object) -> float:
    run = prepare(*args)
    ctypes.CDLL(None).malloc_trim(0)  # what preparing freed would hide as much of the pass
    Path("/proc/self/clear_refs").write_text("5")  # what preparing needed does not count
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    run()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**10 - before / 2**20
