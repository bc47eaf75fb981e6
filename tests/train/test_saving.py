"""When checkpoints are written, what a full disk does to the best one, SLURM's requeueing."""

import os
import signal

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import SLURMEnvironment

from bgm.errors import BadInput, Stopped
from bgm.train import AtomicCheckpointIO, BestCheckpoint, LastCheckpoint
from tests.quiet import QUIET


class Numbers(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.ones(1)


class Module(pl.LightningModule):
    """One weight; scores that get better and better."""

    def __init__(self):
        super().__init__()
        self.layer, self.scores = torch.nn.Linear(1, 1), iter(range(9, 0, -1))

    def training_step(self, batch, index):
        return self.layer(batch).mean()

    def validation_step(self, batch, index):
        if index == 0:
            self.log("val/mad", float(next(self.scores)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-3)


def fit(folder, *callbacks, module=None, steps=6, **options):
    """Eight batches an epoch, two batches a step, a validation every four batches."""
    trainer = pl.Trainer(
        default_root_dir=folder,
        num_sanity_val_steps=0,
        max_steps=steps,
        accumulate_grad_batches=2,
        val_check_interval=4,
        callbacks=list(callbacks),
        **QUIET | {"plugins": [AtomicCheckpointIO()], **options},
    )
    loader = torch.utils.data.DataLoader(Numbers())
    trainer.fit(module or Module(), loader, loader)
    return trainer


class Send(pl.Callback):
    """Sends this process a signal in a hook."""

    def __init__(self, hook, sign=signal.SIGTERM, times=1):
        def send(trainer, module, *args):
            if trainer.global_step == 1 and self.left:
                self.left -= 1
                os.kill(os.getpid(), sign)

        self.left = times
        setattr(self, hook, send)


def stored(path):
    return torch.load(path, weights_only=True)


def test_sigterm_amid_accumulation_waits_for_the_step(tmp_path):
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped, match=r"after step 2: go on with resume=.*last.ckpt"):
        fit(tmp_path, LastCheckpoint(tmp_path), Send("on_train_batch_start"))
    assert stored(tmp_path / "last.ckpt")["global_step"] == 2
    assert signal.getsignal(signal.SIGTERM) == handler


def test_sigterm_in_a_validation_ends_it_and_a_resumed_run_does_it_again(tmp_path):
    class Term(pl.Callback):
        def on_validation_batch_start(self, trainer, module, batch, index):
            if index == 3:
                os.kill(os.getpid(), signal.SIGTERM)

        def on_validation_batch_end(self, trainer, module, outputs, batch, index):
            seen.append(index)

    seen = []
    with pytest.raises(Stopped, match="after step 2"):
        fit(tmp_path, LastCheckpoint(tmp_path), Term())
    assert seen == [0, 1, 2, 3]
    last = stored(tmp_path / "last.ckpt")
    assert last["global_step"] == 2
    module = Module()
    trainer = pl.Trainer(
        max_steps=3,
        accumulate_grad_batches=2,
        val_check_interval=4,
        callbacks=[LastCheckpoint(tmp_path), BestCheckpoint(tmp_path, "best", "val/mad")],
        **QUIET,
    )
    loader = torch.utils.data.DataLoader(Numbers())
    trainer.fit(module, loader, loader, ckpt_path=tmp_path / "last.ckpt")
    assert stored(tmp_path / "best.ckpt")["global_step"] == 2


def test_a_best_one_that_could_not_be_written_is_none(tmp_path):
    class Full(AtomicCheckpointIO):
        def save_checkpoint(self, checkpoint, path, storage_options=None):
            if str(path).endswith("best.ckpt") and checkpoint["global_step"] == 4:
                self.failed[str(path)] = "No space left on device"
            else:
                super().save_checkpoint(checkpoint, path)

    best = BestCheckpoint(tmp_path, "best", "val/mad", enable_version_counter=False)
    fit(tmp_path, best, LastCheckpoint(tmp_path), plugins=[Full()], steps=4)
    assert float(best.best_model_score) == 9.0  # 8 was not written
    assert stored(tmp_path / "best.ckpt")["global_step"] == 2


def test_a_run_whose_last_steps_are_not_on_disk_says_so(tmp_path):
    class Full(AtomicCheckpointIO):
        def save_checkpoint(self, checkpoint, path, storage_options=None):
            self.failed[str(path)] = "No space left on device"

    with pytest.raises(BadInput, match=r"last steps are not on disk: .*last.ckpt: No space"):
        fit(tmp_path, LastCheckpoint(tmp_path), plugins=[Full()], steps=2)


def test_slurm_gets_its_checkpoint_between_two_steps(tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "scontrol").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    (tools / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    job = {"JOB_ID": "77", "JOB_NAME": "a", "NTASKS": "1", "PROCID": "0", "LOCALID": "0"}
    for name, value in {**job, "NODELIST": "localhost"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    send = Send("on_train_batch_start", signal.SIGUSR1)
    fit(
        tmp_path / "run",
        LastCheckpoint(tmp_path / "run"),
        send,
        plugins=[AtomicCheckpointIO(), SLURMEnvironment(auto_requeue=True)],
    )
    assert (tmp_path / "asked").read_text() == "requeue 77\n"
    assert stored(tmp_path / "run" / "hpc_ckpt_1.ckpt")["global_step"] == 2
