"""Callbacks for training in other processes: what a rank saw, and a signal at a step."""

import os
from pathlib import Path

import pytorch_lightning as pl
import torch


class Recorder(pl.Callback):
    """Write rank-N.pt to folder: the batches' means, seeds and draws and, at the end, the weights.

    no_error_on: a rank on which the predicted error is zero everywhere.
    """

    def __init__(self, folder: str, no_error_on: int | None = None):
        self.folder, self.seen, self.losses = Path(folder), [], []
        self.seeds, self.draws, self.validated, self.no_error_on = [], [], 0, no_error_on

    def on_fit_start(self, trainer, module) -> None:
        if trainer.global_rank == self.no_error_on:

            def without_error(refiner, args):
                src, bgr, pha, fgr, err, hid = args
                return src, bgr, pha, fgr, err * 0, hid

            module.network.refiner.register_forward_pre_hook(without_error)

    def on_train_batch_end(self, trainer, module, outputs, batch, index) -> None:
        self.seen.append([float(x.float().mean()) for x in batch[:4]])
        self.losses.append(float(outputs["loss"].detach()))
        self.seeds.append(torch.initial_seed())
        loader = trainer.train_dataloader
        loader.sampler.start = 0  # the loader has its draws already
        size = loader.batch_size
        self.draws.append(list(loader.sampler)[index * size : (index + 1) * size])

    def on_validation_batch_end(self, *args) -> None:
        self.validated += 1

    def on_train_end(self, trainer, module) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        weights = {k: v.clone() for k, v in module.network.state_dict().items()}
        content = {"seen": self.seen, "losses": self.losses, "weights": weights}
        content |= {"seeds": self.seeds, "draws": self.draws, "validated": self.validated}
        torch.save(content, self.folder / f"rank-{trainer.global_rank}.pt")


class SignalOnce(pl.Callback):
    """Send a signal after three steps: a moment that depends on no clock.

    to: "self", "parent" or "group" (of processes). rank: of the process that sends it. run: a part
    of the run folder's name. note: a file that says that it was sent; with it, it is not again.
    """

    def __init__(self, sign: int, note: str, to: str = "self", rank: int = 0, run: str = ""):
        self.sign, self.note, self.to, self.rank, self.run = sign, Path(note), to, rank, run

    def on_train_batch_end(self, trainer, *args) -> None:
        here = trainer.global_rank == self.rank and self.run in str(trainer.default_root_dir)
        if here and trainer.global_step >= 3 and not self.note.exists():
            self.note.touch()
            if self.to == "group":
                os.killpg(os.getpgid(0), self.sign)
            os.kill(os.getppid() if self.to == "parent" else os.getpid(), self.sign)

    @staticmethod
    def words(**options) -> list[str]:
        """The words of train.py that add this callback."""
        options |= {"_target_": "tests.train.record.SignalOnce"}
        return [f"+callbacks.signal.{key}={value}" for key, value in options.items()]
