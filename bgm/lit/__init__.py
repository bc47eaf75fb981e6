"""Training with Lightning: the two stages and their callbacks."""

from bgm.lit.callbacks import Ema, GrowCrops, LastCheckpoint, LineProgress, progress
from bgm.lit.card import RunCard
from bgm.lit.matting import BaseStage, Matting, RefineStage
from bgm.lit.pictures import Pictures

__all__ = [
    "BaseStage",
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
