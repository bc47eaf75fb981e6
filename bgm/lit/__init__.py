"""Training with Lightning: the two stages and their callbacks."""

from bgm.lit.callbacks import Ema, GrowCrops, LineProgress, progress
from bgm.lit.card import RunCard
from bgm.lit.checkpoints import Checkpoints
from bgm.lit.matting import BaseStage, Matting, RefineStage
from bgm.lit.pictures import Pictures
from bgm.lit.saving import BestCheckpoint, LastCheckpoint

__all__ = [
    "BaseStage",
    "BestCheckpoint",
    "Checkpoints",
    "Ema",
    "GrowCrops",
    "LastCheckpoint",
    "LineProgress",
    "Matting",
    "Pictures",
    "RefineStage",
    "RunCard",
    "progress",
]
