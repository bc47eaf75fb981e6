"""Two real processes train together: shares, seeds, weights, no hang, whoever starts them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.test_line import SMALL
from tests.train.record import SignalOnce

ROOT = Path(__file__).parents[2]
PYTHON = [sys.executable, "train.py"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def arguments(tmp_path, *overrides):
    return [
        "experiment=small_refine",
        "trainer=ddp_cpu",
        *SMALL,
        "~callbacks.ema",
        "data.train.length=12",
        "data.train.size=8",
        "+callbacks.watch._target_=tests.train.record.Recorder",
        f"+callbacks.watch.folder={tmp_path / 'seen'}",
        f"data_root={tmp_path / 'data'}",
        f"hydra.run.dir={tmp_path / 'run'}",
        *overrides,
    ]


def train(tmp_path, *overrides, command=PYTHON):
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = [*command, *arguments(tmp_path, *overrides)]
    done = subprocess.run(
        run, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return [torch.load(tmp_path / "seen" / f"rank-{i}.pt", weights_only=True) for i in (0, 1)]


def together(one, two, steps):
    """Both did all steps, on draws of their own, and have the same weights."""
    assert len(one["seen"]) == len(two["seen"]) == steps
    for a, b in zip(one["seen"], two["seen"], strict=True):
        assert all(x != y for x, y in zip(a, b, strict=True))
    assert all(torch.isfinite(torch.tensor(x["losses"])).all() for x in (one, two))
    assert not set(one["seeds"]) & set(two["seeds"])
    trained = [k for k in one["weights"] if "running_" not in k]
    assert all(torch.equal(one["weights"][k], two["weights"][k]) for k in trained)
    assert one["validated"] == two["validated"] > 0


def test_two_processes_train_together_and_one_sees_no_error(tmp_path):
    one, two = train(tmp_path, "trainer.max_steps=4", "+callbacks.watch.no_error_on=1")
    together(one, two, 4)
    epoch = [draw for rank in (one, two) for draws in rank["draws"][:3] for draw in draws]
    assert sorted(epoch) == list(range(12))  # shared, and nothing twice
    assert {draw // 12 for draw in one["draws"][3] + two["draws"][3]} == {1}
    assert [d % 12 for d in one["draws"][3]] != one["draws"][0]
    assert (tmp_path / "run" / "last.ckpt").is_file()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_fifty_steps_with_no_error_on_one_rank(tmp_path):
    together(*train(tmp_path, "trainer.max_steps=50", "+callbacks.watch.no_error_on=0"), 50)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_torchrun(tmp_path):
    command = [*TORCHRUN, "train.py"]
    place = [f"hydra.run.dir={tmp_path}/run/${{oc.env:BGM_RUN_ID}}"]
    together(*train(tmp_path, "trainer.max_steps=4", *place, command=command), 4)
    assert len(list((tmp_path / "run").iterdir())) == 1  # both found the same folder


def ended(tmp_path, sign, rank):
    """A run of two processes of which one gets a signal after three steps: its end, when both have.

    Both hold the output, so that it is whole when the last of them is gone.
    """
    said = [
        "callbacks.progress._target_=bgm.train.LineProgress",
        "+callbacks.progress.seconds=0",
        *SignalOnce.words(sign=int(sign), rank=rank, note=tmp_path / "sent"),
    ]
    run = [*PYTHON, *arguments(tmp_path, *said, "trainer.max_steps=1000")]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    done = subprocess.run(
        run, cwd=ROOT, env=env, stdout=pipe, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert (tmp_path / "sent").exists(), done.stdout
    return done


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_lost_the_other_ends_with_a_sentence(tmp_path, rank):
    done = ended(tmp_path, signal.SIGKILL, rank)
    assert done.returncode != 0
    if rank == 0:
        assert re.search(r"error: process 1 lost contact with another one", done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_sigterm_to_one_ends_both_and_the_order_goes_on(tmp_path):
    stopped = ended(tmp_path, signal.SIGTERM, 1)
    assert stopped.returncode == 75
    assert len(re.findall("stopped by SIGTERM", stopped.stdout)) == 1
    done = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)["global_step"]
    steps = [f"trainer.max_steps={done + 3}"]
    signal_sent = SignalOnce.words(sign=int(signal.SIGTERM), rank=1, note=tmp_path / "sent")
    resumed = train(tmp_path, *steps, *signal_sent, "resume=auto")  # the same callbacks
    alone = tmp_path / "alone"
    alone.mkdir()
    whole = train(alone, *steps)
    for one, other in zip(resumed, whole, strict=True):
        assert one["draws"] == other["draws"][done:]
        assert one["seeds"] == other["seeds"][done:]
