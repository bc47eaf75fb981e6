"""The training step, which both stages share: a network, its loss terms, its learning rates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from torch import Tensor, nn
from torchmetrics import MeanMetric

from bgm.errors import BadInput, check_at_least
from bgm.losses import Weights, check_weights, loss_terms, total_loss
from bgm.metrics.training import MatteMetrics
from bgm.ops import crop_to, pad_to
from bgm.train.activation_checkpointing import recompute
from bgm.train.learning_rates import check_schedule, factor, frozen_parts, parameter_groups
from bgm.types import Batch, Coarse, Refined
from bgm.weights import LoadReport, initialise, match_keys, read_weights

SCORED = ("val", "old")  # prefixes of what is logged for the first and the second validation set


class MattingStage(pl.LightningModule):
    """Train a network on Batches: the base network alone, or base and refiner together.

    network: the config that builds it (plain, so that a checkpoint rebuilds its own). lr: learning
    rates shaped like the module tree. loss: weights of named terms, see `bgm.losses`.
    warmup_steps, final_lr: see `learning_rates.factor`.
    metrics: those that validation reports, on eval.py's scales; None: all of `MatteMetrics`.
    compile: the network goes through torch.compile. checkpoint_activations: less memory for about
    a third more time. Neither changes a key in a checkpoint. seed: see `seed_generator`.
    """

    def __init__(
        self,
        network: dict,
        lr: Any,
        loss: Weights,
        warmup_steps: int = 0,
        final_lr: float = 1.0,
        metrics: Sequence[str] | None = None,
        compile: bool = False,
        checkpoint_activations: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        self.save_hyperparameters()
        check_at_least("stage", 0, seed=seed)
        check_schedule(warmup_steps, final_lr)
        check_weights(loss, refined="refiner" in network)
        self.loss_weights, self.seed = dict(loss), seed
        # Channels last: a quarter faster on CPUs, more on GPUs in half precision.
        self.network: Any = instantiate(network).to(memory_format=torch.channels_last)
        if compile and checkpoint_activations:
            raise BadInput("compile and checkpoint_activations exclude each other: choose one")
        if checkpoint_activations:
            recompute(self.network.blocks())
        if compile:
            self.network.compile()  # in place: torch.compile(network) would rename every key
        names = ["loss", *(f"loss_{name}" for name, weight in loss.items() if weight)]
        self.valid_losses: Any = nn.ModuleList(
            nn.ModuleDict({name: MeanMetric() for name in names}) for _ in SCORED
        )
        self.valid_metrics: Any = nn.ModuleList(MatteMetrics(metrics) for _ in SCORED)

    def forward(self, src: Tensor, bgr: Tensor) -> Coarse | Refined:
        last = torch.channels_last
        return self.network(src.contiguous(memory_format=last), bgr.contiguous(memory_format=last))

    def start_from(self, path: str, kinds: Sequence[str] | None = None) -> LoadReport:
        """Initialise the network from a weight file of one of these kinds (None: any).

        See `bgm.weights.initialise`.
        """
        return initialise(self.network, path, kinds)

    def check_resumable(self, path: str | None) -> str | None:
        """path, after a look: BadInput, with keys, unless it is a checkpoint of this network."""
        if path is not None:
            stored = read_weights(path)
            report = match_keys(self.network.state_dict(), stored.state)
            if "epoch" not in stored.about or not report.complete:
                raise BadInput(
                    f"{path} cannot be resumed: expected a Lightning checkpoint of this network, "
                    f"found {stored.kind} weights, {report} (init=... takes weights)"
                )
        return path

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        self.seed_generator(self.trainer.fit_loop.total_batch_idx)
        for part in frozen_parts(self.network, self.hparams["lr"]):
            part.eval()  # every step: Lightning sets the mode of the whole after a validation

    def on_fit_end(self) -> None:
        # A resumed run that has no batch left leaves the generator as the run it goes on from.
        self.seed_generator(self.trainer.fit_loop.total_batch_idx + 1)

    def seed_generator(self, batch: int) -> None:
        """Make dropout a function of (seed, rank, batch): ranks differ, and resumed runs go on."""
        now = [self.seed, self.global_rank, batch + 1]
        torch.manual_seed(int(np.random.SeedSequence(now).generate_state(1)[0]))

    def losses(self, pred: Coarse | Refined, true: Batch) -> dict[str, Tensor]:
        """The loss, and each of its terms without its weight as loss_NAME."""
        terms = loss_terms(self.loss_weights, pred, true)
        return {
            "loss": total_loss(self.loss_weights, terms),
            **{f"loss_{name}": value for name, value in terms.items()},
        }

    def training_step(self, batch: Batch, index: int) -> Tensor:
        losses = self.losses(self(batch.src, batch.bgr), batch)
        if not torch.isfinite(losses["loss"]):
            named = ", ".join(f"{k} {float(v.detach()):.4g}" for k, v in losses.items())
            raise BadInput(
                f"loss at step {self.global_step} is not finite ({named}): lower lr or clip"
            )
        for name, value in losses.items():
            self.log(f"train/{name}", value, prog_bar=name == "loss")
        return losses["loss"]

    def validation_step(self, batch: Batch, index: int, dataloader_idx: int = 0) -> None:
        pred, true = self.padded(batch)
        for name, value in self.losses(pred, true).items():
            self.valid_losses[dataloader_idx][name].update(value, len(batch.src))
        pha = crop_to(pred.pha, tuple(batch.pha.shape[2:]))
        self.valid_metrics[dataloader_idx].update(pha, batch.pha)

    def on_validation_epoch_end(self) -> None:
        sets = zip(SCORED, self.valid_losses, self.valid_metrics, strict=True)
        for prefix, losses, metrics in list(sets)[: len(self.trainer.num_val_batches)]:
            # Both add up over ranks: the true mean, however unequal their shares.
            scores = {name: loss.compute() for name, loss in losses.items()} | metrics.compute()
            for name, value in scores.items():
                shown = name in ("loss", "mad")
                self.log(f"{prefix}/{name}", value, prog_bar=shown, sync_dist=False)
            for metric in (*losses.values(), metrics):
                metric.reset()

    def padded(self, batch: Batch) -> tuple[Coarse | Refined, Batch]:
        """Prediction and truth padded to multiples of 4: scenes have any size, networks do not."""
        src, bgr, pha, fgr = (pad_to(x) for x in batch[:4])
        true = Batch(src, bgr, pha, fgr, batch.has_fgr)
        return self(true.src, true.bgr), true

    def configure_optimizers(self) -> Any:
        hyper = self.hparams
        # Fused is three times faster, but refuses gradient clipping under a loss scaler.
        fused = self.trainer.precision == "32-true"
        optimizer = torch.optim.Adam(parameter_groups(self.network, hyper["lr"]), fused=fused)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: factor(step, total, hyper["warmup_steps"], hyper["final_lr"])
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
