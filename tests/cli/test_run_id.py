"""Processes that were started one by one give their run the same name."""

import os
from datetime import timedelta
from types import SimpleNamespace

import pytest

from bgm.cli import launch
from bgm.cli.launch import run_id, start_of


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_STEP_ID", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)


def test_under_torchrun_it_is_the_time_that_torchrun_started(monkeypatch):
    started = start_of(os.getpid())
    if started is None:
        pytest.skip("this system does not tell when a process started")
    assert started == start_of(os.getpid())
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setattr(os, "getppid", os.getpid)
    later = SimpleNamespace(now=lambda: started + timedelta(hours=3))  # where nobody asks torchrun
    monkeypatch.setattr(launch, "datetime", later)
    monkeypatch.setattr(launch, "start_of", lambda pid: started)
    assert run_id() == started.strftime("%Y-%m-%d_%H-%M-%S")


def test_in_a_job_step_it_is_the_step(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    assert not run_id().startswith("slurm")  # a shell in a job: runs after each other
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    assert run_id() == "slurm-12-0"


def test_what_has_no_start_has_none():
    assert start_of(2**30) is None
