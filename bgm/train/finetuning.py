"""Fine-tuning: a stage from any matting checkpoint, and callbacks that keep what it had learnt."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch.nn.modules.batchnorm import _BatchNorm

from bgm.errors import BadInput
from bgm.files import write_text
from bgm.losses import Weights
from bgm.train.checkpointing.save import BestCheckpoint
from bgm.train.stages import MattingStage
from bgm.weights import network_of

NAME = "finetune.json"


def fine_tune(
    ckpt: str | None, lr: Any, loss: Weights, network: Mapping | None = None, **options: Any
) -> MattingStage:
    """The stage that fits a checkpoint: base or refined, ours or BackgroundMattingV2's.

    lr, loss: rates and term weights for a refined network; of a base network only the rates under
    "base" count, and only the terms that need no refiner. network: what is to differ from the
    network in the checkpoint, shaped like its config. options: those of `MattingStage`. Raises
    BadInput for a file without a matting network.
    """
    if ckpt is None:
        raise BadInput("fine-tuning starts from a checkpoint: init=... is missing")
    config = merged(network_of(ckpt), network or {}, ckpt)
    if "refiner" not in config:
        lr = lr["base"] if isinstance(lr, Mapping) and "base" in lr else lr
        loss = {name: weight for name, weight in loss.items() if "_sm" not in name}
    return MattingStage(config, lr, loss, **options)


def merged(config: Mapping, changes: Mapping, name: str) -> dict:
    """config with changes of its values; a part of another _target_ is replaced as a whole."""
    if strange := [key for key in changes if key not in config]:
        raise BadInput(
            f"stage.network changes {', '.join(strange)}, but the network in {name} has "
            f"{', '.join(k for k in config if k != '_target_')} there"
        )
    out = dict(config)
    for key, change in changes.items():
        old = config[key]
        same = isinstance(old, Mapping) and isinstance(change, Mapping)
        if same and change.get("_target_", old.get("_target_")) == old.get("_target_"):
            change = merged(old, change, name)
        out[key] = change
    return out


class FrozenBatchNorm(pl.Callback):
    """Normalise by the statistics in the checkpoint: a few new pictures would make poor ones.

    Scale and shift of the layers still learn, unless their part is frozen (a rate of null).
    """

    def on_train_batch_start(self, trainer, module, batch, batch_idx: int) -> None:
        for part in module.modules():  # every step: other callbacks call module.train()
            if isinstance(part, _BatchNorm):
                part.eval()


class ForgettingGuard(BestCheckpoint):
    """Keep the best checkpoint on new data that is not much worse on old data; stop beyond that.

    limit: by what share of the score before training the old score may get worse. The first
    validation set is the new data (val/...), the second the old (old/...). Scores before, during
    and after are printed, and written beside the checkpoint as finetune.json. A checkpoint is
    written where the new score is better than before. monitor and the other options: those
    of ModelCheckpoint, smaller is better. Needs trainer.num_sanity_val_steps=-1: a whole validation
    before the first step. Without a second set there is nothing to keep.
    """

    def __init__(self, limit: float = 0.1, monitor: str = "val/mad", **options: Any):
        if limit < 0 or not monitor.startswith("val/"):
            raise BadInput(
                "keeping old scores needs limit >= 0 and a monitor val/..., "
                f"found {limit} and {monitor}"
            )
        # Nothing but the end of a validation, below, may write: only there the old score is known.
        super().__init__(monitor=monitor, save_on_train_epoch_end=False, **options)
        self.limit, self.metric = limit, monitor.removeprefix("val/")
        self.rows: list[dict[str, Any]] = []  # of every validation: step, and scores of each set
        self.stopped = False

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"rows": list(self.rows), "stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.rows, self.stopped = list(state_dict["rows"]), state_dict["stopped"]

    def on_train_start(self, trainer, module) -> None:
        super().on_train_start(trainer, module)
        if not self.rows and not trainer.fast_dev_run:
            raise BadInput(
                "there is no score before training to compare with: "
                f"trainer.num_sanity_val_steps is {trainer.num_sanity_val_steps}, expected -1"
            )

    def on_sanity_check_end(self, trainer, module) -> None:
        self.note(trainer)

    def on_validation_end(self, trainer, module) -> None:
        if trainer.sanity_checking or trainer.fast_dev_run:
            return
        row = self.note(trainer)
        if not self.kept(row):
            self.stopped = trainer.should_stop = True
        elif row["val"][self.metric] < self.rows[0]["val"][self.metric]:
            super().on_validation_end(trainer, module)
        self.write(trainer)
        if self.stopped:
            self.tell(trainer, f"stopped: worse on old data by more than {self.limit:.0%}")

    def on_train_end(self, trainer, module) -> None:
        best = self.best()
        where = (
            f"step {best['step']}: {self.best_model_path}" if best else "none better than before"
        )
        self.tell(trainer, f"best: {where}")

    def note(self, trainer) -> dict[str, Any]:
        """Take down the scores of the validation that has just ended, and say them."""
        found = {k: float(v) for k, v in trainer.callback_metrics.items()}
        row: dict[str, Any] = {"step": trainer.global_step}
        for name in ("val", "old"):
            scores = {k.split("/")[1]: v for k, v in found.items() if k.startswith(f"{name}/")}
            if scores:
                row[name] = scores
        self.rows.append(row)
        before = self.rows[0]
        shown = [
            f"{what} {self.metric} {row[name][self.metric]:.4g}"
            + (f" (before {before[name][self.metric]:.4g})" if row is not before else "")
            for name, what in (("val", "new data"), ("old", "old data"))
            if name in row
        ]
        self.tell(trainer, f"step {row['step']}: {', '.join(shown)}")
        return row

    def kept(self, row: dict[str, Any]) -> bool:
        """Whether the old score of a validation is within the limit."""
        if "old" not in row:
            return True
        return row["old"][self.metric] <= self.rows[0]["old"][self.metric] * (1 + self.limit)

    def best(self) -> dict[str, Any] | None:
        """The validation whose weights are in the checkpoint; None where none was written."""
        better = [row for row in self.rows[1:] if self.kept(row)]
        row = min(better, key=lambda r: r["val"][self.metric], default=None)
        start = self.rows[0]["val"][self.metric] if self.rows else 0.0
        return row if row is not None and row["val"][self.metric] < start else None

    def write(self, trainer) -> None:
        """Write what is known so far to finetune.json."""
        if trainer.is_global_zero and self.dirpath is not None:
            facts = {"metric": self.metric, "limit": self.limit, "stopped": self.stopped}
            facts |= {"before": self.rows[0], "best": self.best(), "validations": self.rows[1:]}
            write_text(Path(self.dirpath) / NAME, json.dumps(facts, indent=1) + "\n")

    def tell(self, trainer, what: str) -> None:
        if trainer.is_global_zero:
            print(what, flush=True)
