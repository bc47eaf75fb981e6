"""What may be done to a matte between the network and the files: steps of one list, in order."""

from bgm.infer.steps.calm import Calm
from bgm.infer.steps.despeckle import Despeckle
from bgm.infer.steps.drawn_mattes import Garbage, Holdout

__all__ = ["Calm", "Despeckle", "Garbage", "Holdout"]
