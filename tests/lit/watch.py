"""A callback that leaves on disk what a rank saw, for training in other processes."""

from pathlib import Path

import pytorch_lightning as pl
import torch


class Watch(pl.Callback):
    """Write rank-N.pt to folder: the batches' means and, at the end, the weights."""

    def __init__(self, folder: str):
        self.folder, self.seen, self.losses = Path(folder), [], []

    def on_train_batch_end(self, trainer, module, outputs, batch, index) -> None:
        self.seen.append([float(x.float().mean()) for x in batch[:4]])
        self.losses.append(float(outputs["loss"].detach()))

    def on_train_end(self, trainer, module) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        weights = {k: v.clone() for k, v in module.network.state_dict().items()}
        content = {"seen": self.seen, "losses": self.losses, "weights": weights}
        torch.save(content, self.folder / f"rank-{trainer.global_rank}.pt")
