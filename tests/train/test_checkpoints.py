"""Checkpoint files: whole or not at all, the one before kept, broken ones seen; the kill test."""

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.kills import EVENTS
from bgm.errors import BadInput
from bgm.train.checkpointing.checkpoint_files import (
    AtomicCheckpointIO,
    checkpoint_to_resume,
    is_whole,
    newest_checkpoint,
    previous_name,
)

ROOT = Path(__file__).parents[2]


def write(path, step):
    AtomicCheckpointIO().save_checkpoint({"global_step": step, "x": torch.full((500,), step)}, path)


def step(path):
    return torch.load(path, weights_only=True)["global_step"]


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"\x03\0\0\0\0\0\0\0" * 9) + 20] ^= 1  # amid the tensor's sevens
    path.write_bytes(content)


def test_the_one_before_is_kept_and_nothing_else(tmp_path):
    for n in (1, 2, 3):
        write(tmp_path / "last.ckpt", n)
        write(tmp_path / "best.ckpt", n)
    found = {p.name: step(p) for p in tmp_path.iterdir()}
    assert found == {"last.ckpt": 3, "last-previous.ckpt": 2, "best.ckpt": 3}


def test_a_full_disk_costs_no_checkpoint_that_is_there(tmp_path, monkeypatch, caplog):
    files, path = AtomicCheckpointIO(), tmp_path / "last.ckpt"
    for n in (1, 2):
        files.save_checkpoint({"global_step": n}, path)

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "bgm.train"):
        patch.setattr(os, "fsync", full)
        files.save_checkpoint({"global_step": 3}, path)
    assert files.failed == {str(path): "No space left on device"}
    assert "last.ckpt could not be written (No space left on device)" in caplog.text
    assert {p.name: step(p) for p in tmp_path.iterdir()} == {
        "last.ckpt": 2,
        "last-previous.ckpt": 1,
    }
    files.save_checkpoint({"global_step": 4}, path)
    assert not files.failed
    assert step(path) == 4


@pytest.mark.parametrize("tear", [cut, flip, lambda path: path.write_bytes(b"")])
def test_a_broken_file_is_noticed_and_the_one_before_it_taken(tmp_path, tear, caplog):
    path = tmp_path / "last.ckpt"
    write(path, 2)
    write(path, 3)
    assert is_whole(path)
    assert checkpoint_to_resume(path) == checkpoint_to_resume(tmp_path) == path
    tear(path)
    assert not is_whole(path)
    with caplog.at_level(logging.WARNING, "bgm.train"):
        assert checkpoint_to_resume(path) == previous_name(path)
    assert "last.ckpt is broken" in caplog.text
    assert "last-previous.ckpt, step 2" in caplog.text
    assert checkpoint_to_resume(tmp_path) == newest_checkpoint(tmp_path) == previous_name(path)


def test_the_newest_of_a_folder_is_that_of_most_steps(tmp_path):
    for name, n in (("best", 5), ("hpc_ckpt_1", 7), ("last", 6), ("last-previous", 4)):
        write(tmp_path / f"{name}.ckpt", n)
    assert newest_checkpoint(tmp_path).name == "hpc_ckpt_1.ckpt"
    write(tmp_path / "last.ckpt", 7)  # which keeps that of step 6
    assert newest_checkpoint(tmp_path).name == "last.ckpt"
    assert step(tmp_path / "last-previous.ckpt") == 6
    with pytest.raises(BadInput, match="no whole checkpoint"):
        checkpoint_to_resume(ROOT / "conf")


def kill(*args):
    run = [sys.executable, "benchmarks/kills.py", *args]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(run, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.timeout(1200)
def test_killed_is_never_killed_to_the_bit():
    """In a step, by SIGKILL and SIGTERM; as a checkpoint is written; when all steps are done."""
    said = kill("--steps", "6", "--events", "step", "in_write", "train_end")
    assert "killed 4 times: 0 differences" in said


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_in_every_event_is_never_killed_to_the_bit():
    said = kill()
    assert all(event in said for event in EVENTS)
    assert "killed 9 times: 0 differences" in said


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_twenty_times_is_never_killed_to_the_bit():
    assert "killed 20 times: 0 differences" in kill("--random", "20", "--steps", "40")
