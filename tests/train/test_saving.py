"""When checkpoints are written, what is best, what a full disk does to them."""

import os
import signal

import pytest
import pytorch_lightning as pl
import torch

from bgm.errors import BadInput, Stopped
from bgm.metrics.metric import METRICS
from bgm.train import AtomicCheckpointIO, BestCheckpoint, LastCheckpoint
from bgm.train.checkpointing.last_and_best import validation_follows
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
        max_steps=steps,
        accumulate_grad_batches=2,
        callbacks=list(callbacks),
        **QUIET
        | {
            "num_sanity_val_steps": 0,
            "plugins": [AtomicCheckpointIO()],
            "val_check_interval": 4,
            **options,
        },
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


@pytest.mark.parametrize("hook", ["on_validation_batch_start", "on_sanity_check_end"])
def test_sigterm_before_the_first_step(tmp_path, hook):
    """In Lightning's sanity check, where its own handler would end the run with code 0."""
    handler = signal.getsignal(signal.SIGTERM)
    send = pl.Callback()
    setattr(send, hook, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped, match="before the first step: the same command starts again"):
        fit(tmp_path, LastCheckpoint(tmp_path), send, num_sanity_val_steps=-1)
    assert not (tmp_path / "last.ckpt").exists()
    assert signal.getsignal(signal.SIGTERM) == handler


def test_sigterm_in_a_validation_waits_for_its_end(tmp_path):
    class Term(pl.Callback):
        def on_validation_batch_start(self, trainer, module, batch, index):
            if index == 3:
                os.kill(os.getpid(), signal.SIGTERM)

        def on_validation_batch_end(self, trainer, module, outputs, batch, index):
            seen.append(index)

    seen, best = [], BestCheckpoint(tmp_path)
    with pytest.raises(Stopped, match="after step 2"):
        fit(tmp_path, best, LastCheckpoint(tmp_path), Term())
    assert seen == list(range(8))
    last = stored(tmp_path / "last.ckpt")
    assert last["global_step"] == stored(tmp_path / "best.ckpt")["global_step"] == 2
    assert last["callbacks"]["BestCheckpoint"]["best_score"] == 9.0


@pytest.mark.parametrize(
    ("options", "batches"),
    [
        ({"val_check_interval": 3}, [3, 6, 11, 14]),
        ({"val_check_interval": 0.5}, [4, 8, 12, 16]),
        ({"val_check_interval": 3, "check_val_every_n_epoch": None}, [3, 6, 9, 12, 15]),
        ({"val_check_interval": 1.0, "check_val_every_n_epoch": 2}, [16]),
        ({"limit_val_batches": 0}, []),
    ],
)
def test_a_validation_is_foreseen(tmp_path, options, batches):
    """By Lightning's documented options, at the end of each batch; eight of them an epoch."""

    class Foresee(pl.Callback):
        def on_train_batch_end(self, trainer, *args):
            if validation_follows(trainer):
                foreseen.append(trainer.fit_loop.total_batch_idx + 1)

        def on_validation_start(self, trainer, module):
            validated.append(trainer.fit_loop.total_batch_idx + 1)

    foreseen, validated = [], []
    module = Module()
    module.validation_step = lambda batch, batch_idx: None
    fit(tmp_path, Foresee(), LastCheckpoint(tmp_path), module=module, steps=8, **options)
    assert foreseen == validated == batches


@pytest.mark.parametrize(("monitor", "best"), [("val/mad", 1.0), ("val/high", 3.0)])
def test_the_metric_says_what_is_better(tmp_path, monkeypatch, monitor, best):
    high = METRICS["mad"]._replace(name="high", higher_is_better=True)
    monkeypatch.setitem(METRICS, "high", high)
    module = Module()
    scores = iter([2.0, 3.0, 1.0])
    module.validation_step = lambda batch, batch_idx: (
        module.log(monitor, next(scores)) if batch_idx == 0 else None
    )
    checkpoint = BestCheckpoint(tmp_path, monitor)
    fit(tmp_path, checkpoint, LastCheckpoint(tmp_path), module=module)
    assert checkpoint.best_score == best


class Scored(pl.LightningDataModule):
    """Data that name the scenes that they are validated on."""

    def __init__(self, name):
        super().__init__()
        self.scored_on = lambda: name

    def train_dataloader(self):
        return torch.utils.data.DataLoader(Numbers())

    val_dataloader = train_dataloader


@pytest.mark.parametrize(
    ("name", "monitor", "anew"),
    [("one", "val/mad", False), ("two", "val/mad", True), ("one", "val/mse", True)],
)
def test_only_scores_of_one_metric_on_the_same_scenes_are_compared(
    tmp_path, name, monitor, anew, capsys
):
    def train(steps, data, monitor, score, resume=None):
        module, best = Module(), BestCheckpoint(tmp_path, monitor)
        module.validation_step = lambda batch, batch_idx: module.log(monitor, score)
        options = QUIET | {"num_sanity_val_steps": 0, "plugins": [AtomicCheckpointIO()]}
        fitting = pl.Trainer(max_steps=steps, callbacks=[best], val_check_interval=4, **options)
        fitting.fit(module, datamodule=Scored(data), ckpt_path=resume, weights_only=True)
        return best.best_score

    assert train(4, "one", "val/mad", 2.0) == 2.0
    again = train(8, name, monitor, 3.0, tmp_path / "best.ckpt")
    assert again == (3.0 if anew else 2.0)
    said = f"the best val/mad was 2, by another metric or on other scenes than {monitor} is now"
    assert capsys.readouterr().out.replace("\n", " ").count(said) == anew


def test_a_monitor_that_is_not_logged_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"callbacks.best.monitor=val/sad is none of val/mad"):
        fit(tmp_path, BestCheckpoint(tmp_path, "val/sad"))


def test_a_best_one_that_could_not_be_written_is_none(tmp_path):
    class Full(AtomicCheckpointIO):
        def save_checkpoint(self, checkpoint, path, storage_options=None):
            if str(path).endswith("best.ckpt") and checkpoint["global_step"] == 4:
                self.failed[str(path)] = "No space left on device"
            else:
                super().save_checkpoint(checkpoint, path)

    best = BestCheckpoint(tmp_path)
    fit(tmp_path, best, LastCheckpoint(tmp_path), plugins=[Full()], steps=4)
    assert best.best_score == 9.0  # 8 was not written
    assert stored(tmp_path / "best.ckpt")["global_step"] == 2


def test_a_run_whose_last_steps_are_not_on_disk_says_so(tmp_path):
    class Full(AtomicCheckpointIO):
        def save_checkpoint(self, checkpoint, path, storage_options=None):
            self.failed[str(path)] = "No space left on device"

    with pytest.raises(BadInput, match=r"last steps are not on disk: .*last.ckpt: No space"):
        fit(tmp_path, LastCheckpoint(tmp_path), plugins=[Full()], steps=2)
