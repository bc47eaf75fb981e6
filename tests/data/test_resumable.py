"""A worker that is killed ends the run with a sentence; a loader draws from its own generator."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import Dataset

from bgm.cli.launch import errors_as_sentences
from bgm.data.loaders.resumable import Loader, ResumableLoader
from bgm.data.loaders.sampler import DrawSampler, ShardSampler
from bgm.errors import BadInput, lost_worker

ROOT = Path(__file__).parents[2]


class Collected:
    """Says where it is collected, in a file; a circle, so that this waits for the collector."""

    def __init__(self, path):
        self.path, self.itself = path, self

    def __del__(self):
        self.path.write_text(str(os.getpid()))


class CollectsGarbage(Dataset):
    """Its items take long enough for Python to collect what the parent has left."""

    def __len__(self):
        return 4

    def __getitem__(self, draw):
        gc.collect()
        return torch.tensor(draw)


class Deadly(Dataset):
    """Items are their draw numbers; that of number 5 kills its worker."""

    def __len__(self):
        return 12

    def __getitem__(self, draw):
        if draw == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.tensor(draw)


def late_signal():
    """A lost worker that PyTorch tells of by a signal only in the midst of the error about it."""

    def handler(*_):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")

    signal.signal(signal.SIGCHLD, handler)
    try:
        raise BadInput(lost_worker(ConnectionResetError(104, "Connection reset by peer")))
    except BadInput:
        signal.raise_signal(signal.SIGCHLD)


KINDS = ("Loader", "ResumableLoader", "late signal")


def load_in_children():
    """Each kind in a child; PyTorch may raise anywhere, so all have a process of their own."""
    for kind in KINDS:
        if (child := os.fork()) == 0:
            load(kind)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def load(kind):
    with errors_as_sentences():
        if kind == "late signal":
            late_signal()
        if kind == "Loader":
            list(Loader(Deadly(), 2, sampler=ShardSampler(12), num_workers=1))
        list(ResumableLoader(Deadly(), 2, sampler=DrawSampler(12, 3), num_workers=1))


def test_no_signal_comes_between_an_error_and_its_sentence(monkeypatch, capsys):
    """One for a second loader, while the sentence about the first one is looked for."""

    def message(error):
        signal.raise_signal(signal.SIGCHLD)
        return str(error)

    def handler(*_):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")

    before = signal.signal(signal.SIGCHLD, handler)
    monkeypatch.setattr("bgm.cli.launch.error_message", message)
    try:
        with pytest.raises(SystemExit), errors_as_sentences():
            raise BadInput("one sentence")
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert capsys.readouterr().err == "error: one sentence\n"


def test_a_killed_worker_ends_the_run_with_a_sentence():
    code = "from tests.data.test_resumable import load_in_children; load_in_children()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1"] * len(KINDS), done.stderr
    for said in done.stderr.splitlines():
        assert said.startswith("error: a worker that loads data was lost (")
        assert said.endswith("lower workers or batch_size, and go on with resume=RUN_FOLDER")
    assert len(done.stderr.splitlines()) == len(KINDS)


def test_a_loader_leaves_the_global_generator_alone():
    data = Loader(range(4), batch_size=2, sampler=ShardSampler(4))
    state = torch.get_rng_state()
    list(data)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_worker_leaves_the_garbage_of_its_parent_alone(tmp_path):
    """A decoder that is freed in a worker waits for ever, for threads that only its parent has."""
    gc.disable()
    try:
        Collected(tmp_path / "where")
        items = Loader(CollectsGarbage(), 2, sampler=ShardSampler(4), num_workers=1)
        assert torch.cat(list(items)).tolist() == [0, 1, 2, 3]
        assert not (tmp_path / "where").exists()
        gc.collect()
        assert (tmp_path / "where").read_text() == str(os.getpid())
    finally:
        gc.enable()
