"""Pictures of any size and number through an exported file that takes one shape only."""

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.errors import BadInput
from bgm.export import Exported
from bgm.ops import clamp01, resize
from bgm.types import Coarse, Refined


class FixedShapeModel:
    """An exported file of one shape, called with (B, 3, H, W) of other sizes and numbers.

    A refined network's pictures are padded by replication at the right and bottom, and may not be
    larger than the shape: BadInput names both. A base network's are resized to it, its alpha and
    foreground residual back, as `bgm.infer.any_size` does for a scale.
    """

    def __init__(self, exported: Exported, path: str):
        assert exported.shape is not None
        self.exported, self.path, self.shape = exported, path, exported.shape
        self.metadata = exported.metadata

    def __call__(self, src: Tensor, bgr: Tensor) -> Coarse | Refined:
        run = self.coarse if self.exported.output_type is Coarse else self.refined
        batches = zip(src.split(self.shape.batch), bgr.split(self.shape.batch), strict=True)
        parts = [run(*batch) for batch in batches]
        return self.exported.output_type(*(torch.cat(x) for x in zip(*parts, strict=True)))

    def coarse(self, src: Tensor, bgr: Tensor) -> Coarse:
        size, small = list(src.shape[2:]), [self.shape.height, self.shape.width]
        src_small = resize(src, small)
        pha, fgr, err, hid = self.run_full_batch(src_small, resize(bgr, small))
        fgr = clamp01(resize(fgr - src_small, size) + src)
        return Coarse(resize(pha, size), fgr, resize(err, size), hid)

    def refined(self, src: Tensor, bgr: Tensor) -> Refined:
        (H, W), (_, height, width) = src.shape[2:], self.shape
        if height < H or width < W:
            raise BadInput(
                f"{self.path} takes pictures up to {width}x{height}, found {W}x{H}: resize them, "
                f"or export with a larger shape=[batch, height, width]"
            )
        pad = (0, width - W, 0, height - H)
        outputs = self.run_full_batch(*(F.pad(x, pad, mode="replicate") for x in (src, bgr)))
        # Rows and columns of each output that belong to the picture without its padding.
        sizes = [(x.shape[-2] * H // height, x.shape[-1] * W // width) for x in outputs]
        return Refined(*(x[..., :h, :w] for x, (h, w) in zip(outputs, sizes, strict=True)))

    def run_full_batch(self, src: Tensor, bgr: Tensor) -> list[Tensor]:
        """The file's outputs for these pictures; the last one fills up its batch."""
        missing = self.shape.batch - len(src)
        full = (torch.cat([x, x[-1:].expand(missing, -1, -1, -1)]) for x in (src, bgr))
        return [x[: len(src)] for x in self.exported(*full)]
