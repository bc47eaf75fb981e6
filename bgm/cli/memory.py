"""Memory that is freed stays with the process: the system clears every page that it gives out."""

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of malloc.h
BLOCKS = (1 << 30, 1 << 25)  # bytes; older versions of glibc refuse the first one
MOST = (1 << 31) - 1


def keep_freed() -> bool:
    """Have glibc's malloc give blocks over 1 GB back to the system only; says whether it does.

    Otherwise every tensor of some MB is mapped and cleared anew: on a CPU three quarters of the
    time of colour operations at 512 px go there. The price is that a process stays as large as it
    once was. Workers started later inherit it. MALLOC_... in the environment, and other systems'
    malloc, are left alone.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # not glibc
        return False
    return any(mallopt(MMAP_THRESHOLD, n) for n in BLOCKS) and bool(mallopt(TRIM_THRESHOLD, MOST))
