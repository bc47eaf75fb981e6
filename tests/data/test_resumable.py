"""Workers that are killed: named, made anew, the same batches; given up when it goes on."""

import logging
import os
import signal

import pytest
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data._utils import signal_handling

from bgm.data.loaders.resumable import Loader, ResumableLoader, lost_workers_wait_for_next
from bgm.data.loaders.sampler import DrawSampler, ShardSampler
from bgm.errors import BadInput


class Deadly(Dataset):
    """Items are their draw numbers; those in `dies` kill their worker, `always` or once."""

    def __init__(self, folder, dies=(), always=False):
        self.folder, self.dies, self.always = folder, dies, always

    def __len__(self):
        return 12

    def __getitem__(self, draw):
        once = self.folder / f"{draw}"
        deadly = draw in self.dies and torch.utils.data.get_worker_info() is not None
        if deadly and (self.always or not once.exists()):
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.tensor(draw)


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """PyTorch looks after its workers every five seconds."""
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.2)
    wait = torch.utils.data.dataloader._MultiProcessingDataLoaderIter._try_get_data
    monkeypatch.setattr(wait, "__defaults__", (0.2,))


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("kind", [Loader, ResumableLoader])
def test_the_same_batches_with_killed_workers(tmp_path, kind, persistent, caplog):
    sampler = DrawSampler(12, 3) if kind is ResumableLoader else ShardSampler(12)
    whole = [b.tolist() for b in kind(Deadly(tmp_path), batch_size=2, sampler=sampler)]
    data = kind(
        Deadly(tmp_path, dies=(4, 5, 9)),
        batch_size=2,
        sampler=sampler,
        num_workers=2,
        persistent_workers=persistent,
    )
    with caplog.at_level(logging.WARNING, "bgm.data"):
        assert [b.tolist() for b in data] == whole
        assert [b.tolist() for b in data] == whole
    assert 1 <= len(caplog.records) <= 3
    assert "a worker was lost" in caplog.text
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL


@pytest.mark.parametrize("before", [signal.SIG_DFL, lambda *_: None])
def test_pytorchs_handler_goes_and_the_one_before_it_comes_back(before, monkeypatch):
    monkeypatch.setattr(signal_handling, "_SIGCHLD_handler_set", False)
    now = signal.signal(signal.SIGCHLD, before)
    try:
        list(DataLoader(range(4), num_workers=1))  # somebody else's, in the same process
        assert signal.getsignal(signal.SIGCHLD).__module__ == signal_handling.__name__
        lost_workers_wait_for_next()
        assert signal.getsignal(signal.SIGCHLD) is before
    finally:
        signal.signal(signal.SIGCHLD, now)


def test_workers_that_always_die_end_the_run_with_a_sentence(tmp_path):
    data = Loader(
        Deadly(tmp_path, dies=(3,), always=True),
        batch_size=2,
        sampler=ShardSampler(12),
        num_workers=1,
    )
    with pytest.raises(BadInput, match=r"3 times in a row after batch [01].*workers \(now 1\)"):
        list(data)


def test_a_loader_leaves_the_global_generator_alone():
    data = Loader(range(4), batch_size=2, sampler=ShardSampler(4))
    state = torch.get_rng_state()
    list(data)
    assert torch.equal(torch.get_rng_state(), state)
