"""Shared by all tests: one thread a process, since the test runner starts one per core."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

torch.set_num_threads(1)
