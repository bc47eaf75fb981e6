"""Training with Lightning: the two stages, fine-tuning, and their callbacks."""

from bgm.lit.callbacks import Ema, GrowCrops, LineProgress, progress
from bgm.lit.card import RunCard
from bgm.lit.checkpoints import Checkpoints
from bgm.lit.curves import Curves
from bgm.lit.depthwise import QuickDepthwise
from bgm.lit.finetuning import FrozenBatchNorm, KeepOld, fine_tune
from bgm.lit.matting import BaseStage, Matting, RefineStage
from bgm.lit.pictures import Pictures
from bgm.lit.saving import BestCheckpoint, LastCheckpoint
from bgm.lit.scales import VaryScale

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
    "QuickDepthwise",
    "RefineStage",
    "RunCard",
    "VaryScale",
    "fine_tune",
    "progress",
]
