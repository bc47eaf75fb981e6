"""How much of a large picture the base network sees."""

from torch import Tensor

from bgm.model.optimize import OptimizedRefine, Plate
from bgm.model.refine import MattingRefine
from bgm.types import Refined

SIDE = 720  # px; the published settings, 1/4 at HD and 1/8 at 4K, are 480


class CoarseAtMost:
    """A refined network whose base network sees pictures of at most `side` px.

    backbone_scale is the network's own where the long side of the picture times it is below, else
    what makes it so. What a base network knows of shapes has the size that it was trained at: shown
    a 4K picture whole it is slow, and leaves holes in subjects larger than all it ever saw.
    """

    def __init__(self, net: MattingRefine | OptimizedRefine, side: int = SIDE) -> None:
        self.net, self.side = net, side

    def __call__(self, src: Tensor, bgr: Tensor | Plate) -> Refined:
        return self.fitting(src)(src, bgr)

    def fitting(self, x: Tensor) -> MattingRefine | OptimizedRefine:
        """The network at the scale that suits a picture (B, C, H, W)."""
        return self.net.at_scale(min(self.net.backbone_scale, self.side / max(x.shape[-2:])))
