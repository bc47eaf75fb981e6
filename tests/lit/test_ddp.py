"""Two real processes train together: different augmentations, the same weights, no hang."""

import subprocess
import sys
from pathlib import Path

import torch

from tests.test_line import SMALL

ROOT = Path(__file__).parents[2]


def test_two_processes_train_together(tmp_path):
    args = [
        "experiment=demo_refine",
        "trainer=ddp_cpu",
        *SMALL,
        "trainer.max_steps=3",
        "~callbacks.ema",
        "+callbacks.watch._target_=tests.lit.watch.Watch",
        f"+callbacks.watch.folder={tmp_path / 'seen'}",
        f"data_root={tmp_path / 'data'}",
        f"hydra.run.dir={tmp_path / 'run'}",
    ]
    run = [sys.executable, "train.py", *args]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = (torch.load(tmp_path / "seen" / f"rank-{i}.pt", weights_only=True) for i in (0, 1))
    assert len(one["seen"]) == len(two["seen"]) == 3
    for a, b in zip(one["seen"], two["seen"], strict=True):
        assert all(x != y for x, y in zip(a, b, strict=True))
    assert all(torch.isfinite(torch.tensor(x["losses"])).all() for x in (one, two))
    trained = [k for k in one["weights"] if "running_" not in k]
    assert all(torch.equal(one["weights"][k], two["weights"][k]) for k in trained)
    assert (tmp_path / "run" / "last.ckpt").is_file()
