"""Pictures that an int8 export is calibrated with."""

from collections.abc import Iterable, Iterator

from torch import Tensor, nn

from bgm.export.target import Target
from bgm.model import MattingBase
from bgm.ops import pad_to, resize
from bgm.types import Batch


def calibration_pairs(
    target: Target, net: nn.Module, scenes: Iterable[Batch]
) -> Iterator[tuple[Tensor, Tensor]]:
    """src and bgr (B, 3, H, W) of scenes, single composites (3, H, W), as target's file takes them.

    Each is drawn or read when it is asked for: what refuses the export comes before that.
    They are resized to the file's one shape if it has one. Else they keep their size, times the
    backbone scale for a base network alone, and are padded to multiples of 4.
    """
    is_base = target.part == "base" or isinstance(net, MattingBase)
    scale = getattr(net, "backbone_scale", 0.25) if is_base else 1.0

    def fit(x: Tensor) -> Tensor:
        if target.shape is not None:
            x = resize(x[None], [target.shape.height, target.shape.width])
            return x.expand(target.shape.batch, -1, -1, -1)
        small = [round(n * scale) for n in x.shape[1:]]
        return pad_to(x[None] if scale == 1 else resize(x[None], small))

    return ((fit(scene.src), fit(scene.bgr)) for scene in scenes)
