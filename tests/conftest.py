"""Shared by all tests: one thread a process, since the test runner starts one per core."""

import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from absl import logging as absl_logging
from hypothesis import settings

torch.set_num_threads(1)
os.fsync = lambda file: None  # no test outlives a power cut, and disks are slow

# Hydra ends all log handlers when it sets logging up, and absl's then closes
# what was sys.stderr when it was imported: in a test, the file that pytest captures into.
absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__

# The same examples every time; new ones: pytest --hypothesis-profile=default.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")
