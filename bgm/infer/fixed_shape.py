"""Pictures of any size and number through an exported file that takes one shape only."""

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.errors import BadInput
from bgm.export import Exported
from bgm.export.shapes import Shape
from bgm.ops import clamp01, resize
from bgm.types import Coarse, Refined


class Fitted:
    """An exported file of one shape, called with (B, 3, H, W) of other sizes and numbers.

    A refined network's pictures are padded by replication at the right and bottom, and may not be
    larger than the shape: BadInput names both. A base network's are resized to it, its alpha and
    foreground residual back, as `bgm.infer.matte` does for a scale.
    """

    def __init__(self, exported: Exported, path: str):
        assert exported.shape is not None
        self.exported, self.path = exported, path
        self.shape: Shape = exported.shape
        self.answer, self.metadata = exported.answer, exported.metadata

    def __call__(self, src: Tensor, bgr: Tensor) -> Coarse | Refined:
        run = self.coarse if self.answer is Coarse else self.refined
        parts = zip(src.split(self.shape.batch), bgr.split(self.shape.batch), strict=True)
        found = [run(*part) for part in parts]
        return self.answer(*(torch.cat(x) for x in zip(*found, strict=True)))

    def coarse(self, src: Tensor, bgr: Tensor) -> Coarse:
        size, count = list(src.shape[2:]), len(src)
        small = resize(src, [self.shape.height, self.shape.width])
        found = self.filled(small, resize(bgr, [self.shape.height, self.shape.width]))
        pha, fgr, err, hid = (x[:count] for x in found)
        fgr = clamp01(resize(fgr - small, size) + src)
        return Coarse(resize(pha, size), fgr, resize(err, size), hid)

    def refined(self, src: Tensor, bgr: Tensor) -> Refined:
        (B, _, H, W), (_, height, width) = src.shape, self.shape
        if height < H or width < W:
            raise BadInput(
                f"{self.path} takes pictures up to {width}x{height}, found {W}x{H}: resize them, "
                f"or export with a larger shape=[batch, height, width]"
            )
        pad = (0, width - W, 0, height - H)
        found = self.filled(*(F.pad(x, pad, mode="replicate") for x in (src, bgr)))
        # Rows and columns of each output that belong to the picture without its padding.
        sizes = [(x.shape[-2] * H // height, x.shape[-1] * W // width) for x in found]
        cut = [x[:B, :, :h, :w] for x, (h, w) in zip(found, sizes, strict=True)]
        return Refined(*cut)

    def filled(self, src: Tensor, bgr: Tensor) -> Coarse | Refined:
        """The file's answer to as many pictures as it takes, the last one repeated."""
        missing = self.shape.batch - len(src)
        full = (torch.cat([x, x[-1:].expand(missing, -1, -1, -1)]) for x in (src, bgr))
        return self.exported(*full)
