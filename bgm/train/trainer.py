"""The trainer of a config, with what a machine cannot do said before it starts."""

from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer, seed_everything

from bgm.console import say
from bgm.errors import BadInput
from bgm.train.checkpointing.last_and_best import BestCheckpoint


def seed_training(seed: int) -> None:
    """Seed all generators of this process and of its workers; BadInput for what NumPy refuses."""
    if not 0 <= seed < 2**32:
        raise BadInput(f"seed is {seed}, expected 0 to {2**32 - 1}")
    seed_everything(int(seed), workers=True, verbose=False)


# What Lightning divides steps or epochs by.
COUNTS = ("val_check_interval", "check_val_every_n_epoch", "accumulate_grad_batches")


def build_trainer(cfg: DictConfig, *first: Callback) -> Trainer:
    """The trainer of cfg.trainer; first: callbacks in front of its own.

    callbacks.NAME=null leaves one out. Raises BadInput for what needs a GPU where there is none,
    and for counts of steps or epochs that are 0.
    """
    check_counts(cfg)
    given = [c for c in cfg.trainer.get("callbacks") or () if c is not None]
    trainer = instantiate(cfg.trainer, callbacks=[*first, *given])
    if trainer.strategy.root_device.type == "cpu":
        needs_no_gpu(cfg)
    return trainer


def check_counts(cfg: DictConfig) -> None:
    """Raise BadInput for an option that the trainer divides by and that is 0 or less; null passes.

    Lightning takes these, and fails in the middle of a step.
    """
    for name in COUNTS:
        count = cfg.trainer.get(name)
        if isinstance(count, int | float) and count <= 0:
            raise BadInput(f"trainer.{name} is {count}, expected a number above 0")


def needs_no_gpu(cfg: DictConfig) -> None:
    """Raise BadInput for options that PyTorch has on GPUs only."""
    if cfg.trainer.get("sync_batchnorm"):
        raise BadInput(
            "trainer.sync_batchnorm=true needs GPUs and this training is on the CPU: "
            "take trainer=ddp_cpu, or trainer.sync_batchnorm=false"
        )
    if str(cfg.trainer.precision) in ("16-mixed", "16-true", "16"):
        raise BadInput(  # Lightning would take bfloat16 without a word of ours
            f"trainer.precision={cfg.trainer.precision} needs a GPU and this training is on the "
            "CPU: take 32-true or bf16-mixed"
        )


def load_initial_weights(stage: Any, cfg: DictConfig) -> None:
    """Give a stage the weights of cfg.init, where there is one, and say what was taken.

    Of several files each later one takes precedence: a network, then another base for it.
    """
    files = [cfg.init] if isinstance(cfg.init, str) else cfg.init or []
    for file in files:
        report = stage.start_from(file, cfg.init_is)
        say(f"{file}: {report}; what is not matched keeps its start values")


def report_result(trainer: Trainer) -> float | None:
    """Say where a run's files are; return the best score that its checkpoints are chosen by.

    Hydra's sweepers compare it. None without a validation.
    """
    say(f"checkpoints and TensorBoard: {trainer.default_root_dir}")
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, BestCheckpoint):
            return callback.best_score
    return None
