"""How much memory a prediction may take, and what it does at a time so that this is enough."""

import re
from pathlib import Path
from typing import NamedTuple

import torch

from bgm.errors import BadInput

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory", re.IGNORECASE)


class MemoryPlan(NamedTuple):
    """What is held at a time: the less, the slower."""

    waiting: int  # frames that may wait before the network, and mattes after it; 0: no threads
    keep_plate: bool  # whether what the network computes of a plate is kept for the next frame
    rows: int | None  # of the foreground at a time; None: all
    at_once: int = 1  # frames that the network computes, where it can, see `Model.frames_at_once`


# Plans, and about what they take for each pixel, in bytes: the first two measured with predict.py
# on 8 frames of 4K, one run each (5.4 and 4.7 GiB), the last one at 8K (3.9 GiB), the others
# reckoned from the arrays that wait.
PLANS = {
    MemoryPlan(3, True, None, 2): 600,
    MemoryPlan(3, True, None): 500,
    MemoryPlan(3, True, 256): 180,
    MemoryPlan(1, True, 256): 130,
    MemoryPlan(0, False, 128): 100,
}
LEAST = MemoryPlan(0, False, 128)
FIXED = 900 * 10**6  # bytes that PyTorch and a network take without a picture


def plan_memory(limit: int, size: tuple[int, int]) -> MemoryPlan:
    """The fastest plan for pictures of size = (H, W) within limit bytes, or the least of all."""
    for plan in PLANS:
        if bytes_needed(plan, size) <= limit:
            return plan
    return LEAST


def bytes_needed(plan: MemoryPlan, size: tuple[int, int]) -> int:
    """About what a plan takes at its peak."""
    return FIXED + PLANS[plan] * size[0] * size[1]


def memory_limit(memory: str | int | None) -> int:
    """`memory=` in bytes: "6GB", "500MiB", a number of bytes; None: what is free now."""
    if memory is None:
        return free_memory()
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(memory))
    if match is None or match[2].upper() not in UNITS or not float(match[1]):
        raise BadInput(f"memory is {memory}, expected a size as 6GB or 500MB, or null")
    return int(float(match[1]) * UNITS[match[2].upper()])


def free_memory() -> int:
    """Bytes that this machine, and the container that the process is in, still have."""
    free = [_available(), _container("memory.max", "memory.current")]
    free.append(_container("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
    return min(number for number in free if number is not None) if any(free) else 2**62


def _available() -> int | None:
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _container(limit: str, used: str, root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What is left of a control group's limit (version 2 or 1); None without one."""
    try:
        words = (root / limit).read_text().strip(), (root / used).read_text().strip()
    except OSError:
        return None
    return max(int(words[0]) - int(words[1]), 0) if words[0].isdigit() else None


def no_memory(error: BaseException) -> bool:
    """Whether a device, PyTorch's CPU allocator or Python ran out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and NO_MEMORY.search(str(error)) is not None
