"""Training with Lightning: the two stages, fine-tuning, and their callbacks."""

from bgm.train.callbacks.grow_crops import GrowCrops
from bgm.train.callbacks.picture_grids import Pictures
from bgm.train.callbacks.progress import LineProgress, progress
from bgm.train.callbacks.run_card import RunCard
from bgm.train.callbacks.vary_scale import VaryScale
from bgm.train.callbacks.weight_averaging import Ema
from bgm.train.checkpointing.checkpoint_files import Checkpoints
from bgm.train.checkpointing.save import BestCheckpoint, LastCheckpoint
from bgm.train.finetuning import FrozenBatchNorm, KeepOld, fine_tune
from bgm.train.stages import BaseStage, Matting, RefineStage
from bgm.train.tensorboard import Curves

__all__ = [
    "BaseStage",
    "BestCheckpoint",
    "Checkpoints",
    "Curves",
    "Ema",
    "FrozenBatchNorm",
    "GrowCrops",
    "KeepOld",
    "LastCheckpoint",
    "LineProgress",
    "Matting",
    "Pictures",
    "RefineStage",
    "RunCard",
    "VaryScale",
    "fine_tune",
    "progress",
]
