"""Training with Lightning: the two stages and their callbacks."""

from bgm.lit.callbacks import Ema, GrowCrops, LineProgress, progress
from bgm.lit.matting import BaseStage, Matting, RefineStage
from bgm.lit.pictures import Pictures

__all__ = [
    "BaseStage",
    "Ema",
    "GrowCrops",
    "LineProgress",
    "Matting",
    "Pictures",
    "RefineStage",
    "progress",
]
