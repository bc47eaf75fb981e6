"""Networks: encoders, base, refiner, and the patch methods that an export can swap."""

from bgm.model.base import MattingBase
from bgm.model.efficientnet import efficientnet_lite0
from bgm.model.encoders import mobilenetv2, resnet50, resnet101
from bgm.model.optimize import OptimizedBase, OptimizedRefine, optimize
from bgm.model.patches import (
    Full,
    GatherCrop,
    RoiAlignCrop,
    Sampling,
    ScatterElementReplace,
    ScatterNdReplace,
    Thresholding,
    UnfoldCrop,
    swap_patches,
)
from bgm.model.refined_network import MattingRefine
from bgm.model.refiner import PatchRefiner
from bgm.model.selection import SELECTIONS, choose_select

__all__ = ["Full", "GatherCrop", "MattingBase", "MattingRefine", "OptimizedBase", "OptimizedRefine"]
__all__ += ["PatchRefiner", "RoiAlignCrop", "Sampling", "ScatterElementReplace", "ScatterNdReplace"]
__all__ += ["SELECTIONS", "Thresholding", "UnfoldCrop", "choose_select", "efficientnet_lite0"]
__all__ += ["mobilenetv2", "optimize", "resnet50", "resnet101", "swap_patches"]
