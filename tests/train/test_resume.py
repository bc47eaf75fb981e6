"""A training whose file has gone while it stood still goes on, as the one that never stopped."""

import importlib
import shutil
import signal
from pathlib import Path

import pytorch_lightning as pl
import torch

from tests.data.folders import make
from tests.test_line import script

WORDS = """experiment=base backbone=mobilenetv2 trainer.accelerator=cpu
batch_size=2 workers=0
augment.size=32 augment.crop=[32,32] valid_augment.size=32 valid_augment.crop=[32,32]
trainer.max_epochs=-1 trainer.val_check_interval=2 trainer.check_val_every_n_epoch=null
callbacks.last.every_n_steps=2 ~callbacks.pictures data.checkup_seconds=0 trainer.logger=false"""
LOST = ("train/pha/1.png", "train/fgr/5.jpg", "train/pha/5.png", "backgrounds/train/3.jpg")


class Lose(pl.Callback):
    """Delete files after so many steps."""

    def __init__(self, root: str, step: int = 2) -> None:
        self.root, self.step = Path(root), step

    def on_train_batch_end(self, trainer, *args) -> None:
        if trainer.global_step == self.step:
            for name in LOST:
                (self.root / name).unlink()


def train(root, run, *words):
    return script("train", *WORDS.split(), f"data_root={root}", f"hydra.run.dir={run}", *words)


def test_resumed_is_uninterrupted_when_files_have_gone(tmp_path, capsys):
    roots = [make(tmp_path / name, subjects=8, backgrounds=6) for name in ("one", "two")]
    lose = [f"+callbacks.lose.{k}={v}" for k, v in
            {"_target_": "tests.train.test_resume.Lose", "root": roots[0]}.items()]  # fmt: skip
    assert train(roots[0], tmp_path / "whole", *lose, "trainer.max_steps=7") == 0
    assert train(roots[1], tmp_path / "killed", "trainer.max_steps=2") == 0
    for name in LOST:
        (roots[1] / name).unlink()
    shutil.copytree(tmp_path / "killed", tmp_path / "other")
    assert train(roots[1], tmp_path / "killed", "trainer.max_steps=1") == 1
    assert "last.ckpt holds step 2 of a training" in capsys.readouterr().err
    assert train(roots[1], tmp_path / "killed", "trainer.max_steps=7", "resume=auto") == 0
    whole, again = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("whole", "killed")
    )
    assert whole["global_step"] == again["global_step"] == 7
    for key, value in whole["state_dict"].items():
        assert torch.equal(value, again["state_dict"][key]), key
    capsys.readouterr()
    words = ("trainer.max_steps=7", "resume=auto", "resume_changed=allow")
    assert train(roots[1], tmp_path / "other", *words) == 1
    assert "do not pair: 1 (only in fgr)" in capsys.readouterr().err


def test_sigterm_while_a_run_gets_ready_is_code_75(tmp_path, monkeypatch, capsys):
    """Its first steps are far off: nothing is lost, and what starts it again may do so."""
    script_module = importlib.import_module("train")
    monkeypatch.setattr(script_module, "build_data", lambda *_: signal.raise_signal(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    assert train(make(tmp_path / "data"), tmp_path / "run") == 75
    assert signal.getsignal(signal.SIGTERM) is before
    said = capsys.readouterr()
    assert "stopped by SIGTERM" in said.out + said.err
    assert "the same command starts again" in said.out + said.err
