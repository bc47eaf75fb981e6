"""Fine-tuning: a stage from any matting checkpoint, and callbacks that keep what it had learnt."""

import inspect
import json
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from hydra.utils import get_object

from bgm.console import say
from bgm.errors import BadInput
from bgm.files import write_text
from bgm.losses import Weights, needs_refiner
from bgm.train.activation_checkpointing import BATCH_NORMS
from bgm.train.checkpointing.last_and_best import BestCheckpoint
from bgm.train.stages import MattingStage
from bgm.weights import check_targets, network_of

NAME = "finetune.json"


def fine_tune(
    ckpt: str | None,
    lr: Any,
    loss: Weights,
    network: Mapping | None = None,
    select: Mapping | None = None,
    chosen: Mapping | None = None,
    **options: Any,
) -> MattingStage:
    """The stage that fits a checkpoint: base or refined, ours or BackgroundMattingV2's.

    lr, loss: rates and term weights for a refined network; of a base network only the rates under
    "base" count, and only the terms that need no refiner. network: what is to differ from the
    network in the checkpoint, shaped like its config; select: the same of its selection of patches,
    null for what the checkpoint has. chosen: networks and backbones that the config names by group,
    which are refused, as none of them would be built. options: those of `MattingStage`. Raises
    BadInput for a file without a matting network.
    """
    for group, target in (chosen or {}).items():
        if target is not None:
            raise BadInput(
                f"{group}={target.rpartition('.')[2]}: fine-tuning takes its network from "
                "init=FILE (stage.network={...} changes its numbers)"
            )
    if not isinstance(ckpt, str):
        raise BadInput(f"fine-tuning starts from one checkpoint, init=FILE: init is {ckpt}")
    stored = network_of(ckpt)
    check_targets(stored)
    config = with_selection(merged(stored, network or {}, ckpt), select or {}, ckpt)
    if "refiner" not in config:
        lr = lr["base"] if isinstance(lr, Mapping) and "base" in lr else lr
        loss = {name: weight for name, weight in loss.items() if not needs_refiner(name)}
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


def with_selection(config: Mapping, changes: Mapping, name: str) -> dict:
    """config with changes of the numbers, or of the kind, by which its refiner selects patches.

    null: as config has it. Raises BadInput for a base network, which selects none, and for a number
    that the selection does not have.
    """
    if not isinstance(changes, Mapping):
        raise BadInput(
            f"select is {changes}: expected patches@select={changes}, or keys below it, as "
            "select.training_pixels=30000"
        )
    given = {key: change for key, change in changes.items() if change is not None}
    if not given:
        return dict(config)
    if "refiner" not in config:
        words = ", ".join(f"select.{key}" for key in given)
        raise BadInput(f"{words}: the network in {name} is a base network, which refines nothing")
    old = config["refiner"].get("select") or {"_target_": "bgm.model.Sampling"}
    kind = given.get("_target_", old["_target_"])
    known = list(inspect.signature(get_object(kind)).parameters)
    if strange := [key for key in given if key not in ("_target_", *known)]:
        raise BadInput(
            f"select.{strange[0]}: the network in {name} selects by {kind.rpartition('.')[2]}, "
            f"which has {' and '.join(known) or 'no numbers'}"
        )
    select = (dict(old) if kind == old["_target_"] else {}) | given
    return dict(config) | {"refiner": dict(config["refiner"]) | {"select": select}}


class FrozenBatchNorm(pl.Callback):
    """Normalise by the statistics in the checkpoint: a few new pictures would make poor ones.

    Scale and shift of the layers still learn, unless their part is frozen (a rate of null).
    """

    def on_train_batch_start(self, trainer, module, batch, batch_idx: int) -> None:
        for part in module.modules():  # every step: other callbacks call module.train()
            if isinstance(part, BATCH_NORMS):
                part.eval()


class ForgettingGuard(BestCheckpoint):
    """Keep the best checkpoint on new data that is not much worse on old data; stop beyond that.

    limit: by what share of the score before training the old score may get worse. The first
    validation set is the new data (val/...), the second the old (old/...). Scores before, during
    and after are printed, and written beside the checkpoint as finetune.json. A checkpoint is
    written where the new score is better than before. The other options: those of BestCheckpoint.
    Needs trainer.num_sanity_val_steps=-1: a whole validation before the first step.
    """

    def __init__(self, dirpath: str, limit: float = 0.1, monitor: str = "val/mad", **options: Any):
        if limit < 0 or not monitor.startswith("val/"):
            raise BadInput(
                "a forgetting guard needs limit >= 0 and a monitor val/..., "
                f"found {limit} and {monitor}"
            )
        super().__init__(dirpath, monitor, **options)
        self.limit, self.metric = limit, monitor.removeprefix("val/")
        self.rows: list[dict[str, Any]] = []  # of every validation: step, and scores of each set
        self.stopped = False

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"rows": list(self.rows), "stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.rows, self.stopped = list(state_dict["rows"]), state_dict["stopped"]

    def compare_anew(self) -> None:
        raise BadInput(
            "the scores before training are of other scenes or another metric than those to come: "
            "give the old values, or start anew with init=..."
        )

    def on_train_start(self, trainer, module) -> None:
        if not self.rows and not trainer.fast_dev_run:
            raise BadInput(
                "there is no score before training to compare with: "
                f"trainer.num_sanity_val_steps is {trainer.num_sanity_val_steps}, expected -1"
            )

    def on_sanity_check_end(self, trainer, module) -> None:
        self.add_row(trainer)

    def on_validation_end(self, trainer, module) -> None:
        if trainer.sanity_checking or trainer.fast_dev_run:
            return
        row = self.add_row(trainer)
        start = self.rows[0]
        if "old" in row:
            share = 1 - self.limit if self.largest_is_best else 1 + self.limit
            self.stopped = self.better(share * start["old"][self.metric], row["old"][self.metric])
        if self.stopped:
            trainer.should_stop = True
        elif self.better(row["val"][self.metric], start["val"][self.metric]):
            super().on_validation_end(trainer, module)
        if trainer.is_global_zero:
            facts = {"metric": self.metric, "limit": self.limit, "stopped": self.stopped}
            facts |= {"before": start, "best": self.best_row(), "validations": self.rows[1:]}
            write_text(self.path.with_name(NAME), json.dumps(facts, indent=1) + "\n")
        if self.stopped:
            say(f"stopped: worse on old data by more than {self.limit:.0%}")

    def on_train_end(self, trainer, module) -> None:
        best = self.best_row()
        where = f"step {best['step']}: {self.path}" if best else "none better than before"
        say(f"best: {where}")

    def add_row(self, trainer) -> dict[str, Any]:
        """Keep the scores of the validation that has just ended, and print them."""
        row: dict[str, Any] = {"step": trainer.global_step}
        for key, value in trainer.callback_metrics.items():
            name, _, metric = key.partition("/")
            if name in ("val", "old"):
                row.setdefault(name, {})[metric] = float(value)
        self.rows.append(row)
        before = self.rows[0]
        shown = []
        for name, what in (("val", "new data"), ("old", "old data")):
            if name in row:
                start = "" if row is before else f" (before {before[name][self.metric]:.4g})"
                shown.append(f"{what} {self.metric} {row[name][self.metric]:.4g}{start}")
        say(f"step {row['step']}: {', '.join(shown)}")
        return row

    def best_row(self) -> dict[str, Any] | None:
        """The validation whose weights are in the checkpoint; None where none was written."""
        rows = (row for row in self.rows[1:] if row["val"][self.metric] == self.best_score)
        return next(rows, None)
