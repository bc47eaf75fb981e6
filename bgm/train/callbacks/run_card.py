"""The run card: what a checkpoint was made from, in the checkpoint and beside it."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from bgm.errors import BadInput
from bgm.files import write_text

NAME = "card.json"
LOG = logging.getLogger("bgm.train")


class RunCard(pl.Callback):
    """Put a card into every checkpoint (`bgm_card`), and the latest beside them as card.json.

    about: what is known before training (config, commit, versions, hardware), plain values: it has
    to load with weights_only=True. folder: where the checkpoints are. Added are the datamodule's
    `facts()`, throughput (validation and its first batch apart) and the latest metrics.
    """

    def __init__(self, about: dict[str, Any], folder: str | Path) -> None:
        self.about, self.path = about, Path(folder) / NAME
        self.data: dict[str, Any] = {}
        self.seconds, self.samples, self.steps = 0.0, 0, 0  # of this process, since it started
        self.metrics: dict[str, float] = {}  # the latest of each, resumed runs included
        self._last: float | None = None

    def setup(self, trainer, pl_module, stage: str) -> None:
        self.trainer = trainer

    def state_dict(self) -> dict[str, Any]:
        return {"metrics": self.latest(self.trainer)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.metrics = dict(state_dict["metrics"])

    def on_fit_start(self, trainer, module) -> None:
        facts = getattr(trainer.datamodule, "facts", None)
        if facts is not None and trainer.is_global_zero:  # it may look at every file's size
            self.data = facts()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx: int) -> None:
        now = time.monotonic()
        if self._last is not None:
            self.seconds += now - self._last
            self.samples += len(batch[0]) * trainer.world_size
            self.steps += 1
        self._last = now

    def on_validation_start(self, trainer, module) -> None:
        self._last = None

    def on_save_checkpoint(self, trainer, module, checkpoint: dict) -> None:
        checkpoint["bgm_card"] = self.card(trainer)
        self.write(trainer)

    def on_train_end(self, trainer, module) -> None:
        self.write(trainer)

    def write(self, trainer) -> None:
        """Write the card as of now to card.json."""
        if trainer.is_global_zero:
            try:
                write_text(self.path, json.dumps(self.card(trainer), indent=1) + "\n")
            except BadInput as error:  # every checkpoint holds it, too
                LOG.warning("%s could not be written: %s", self.path, error)

    def card(self, trainer) -> dict[str, Any]:
        """The card as of now."""
        rates = {"samples_per_second": self.samples, "batches_per_second": self.steps}
        pace = {key: round(n / self.seconds, 3) for key, n in rates.items() if self.seconds}
        return {
            "progress": {"epoch": trainer.current_epoch, "step": trainer.global_step},
            "metrics": self.latest(trainer),
            "data": self.data,
            "throughput": pace and pace | {"processes": trainer.world_size},
            **self.about,
        }

    def latest(self, trainer) -> dict[str, float]:
        """The latest value of each metric, those from before a resume among them."""
        self.metrics |= {name: float(value) for name, value in trainer.callback_metrics.items()}
        return dict(sorted(self.metrics.items()))
