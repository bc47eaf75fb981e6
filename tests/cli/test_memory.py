"""Memory that is freed is used again without a page fault."""

import os
import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, sys
import numpy as np
from bgm.cli.memory import keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        blocks = [np.ones(1 << 20, np.float32) for _ in range(8)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_freed()
faults()
print(int(kept), faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the malloc of glibc only")
@pytest.mark.parametrize("env", [{}, {"MALLOC_ARENA_MAX": "2"}])
def test_freed_blocks_are_not_cleared_again(env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", COUNT], env=clean | env, capture_output=True, text=True, check=True
    )
    kept, faults = map(int, done.stdout.split())
    assert kept == (not env)
    assert (faults < 100) == bool(kept)
