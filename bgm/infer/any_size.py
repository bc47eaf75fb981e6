"""Networks at sizes that they do not take: pictures padded, or brought to a file's one shape."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.errors import BadInput
from bgm.export import Exported
from bgm.ops import clamp01, crop_to, pad_to, resize
from bgm.types import Coarse, Refined

Network = Callable[[Tensor, Tensor], Coarse | Refined]

MULTIPLE = 4
# At backbone_scale 1/8 a side of 64 leaves a coarse picture of 8x8: the smallest that still has
# something to look at in every encoder stage.
SMALLEST = 64


class Matte(NamedTuple):
    """The mattes of pictures, at the pictures' size; float in [0, 1].

    err_sm and ref_sm are kept as the network gave them, on the padded picture: `err()` and `ref()`
    bring them to the pictures' size.
    """

    pha: Tensor  # (B, 1, H, W)
    fgr: Tensor  # (B, 3, H, W)
    err_sm: Tensor  # (B, 1, Hc, Wc), of the padded picture
    ref_sm: Tensor | None  # (B, 1, Hp/4, Wp/4) of the padded picture; None from a base network
    padded: tuple[int, int]  # (Hp, Wp)

    def err(self) -> Tensor:
        """The predicted error of pha, bilinear, (B, 1, H, W) in [0, 1]."""
        return crop_to(resize(self.err_sm, list(self.padded)), self._size())

    def ref(self) -> Tensor:
        """1 where a 4x4 patch was refined, else 0, (B, 1, H, W); a base network refines nowhere."""
        if self.ref_sm is None:
            return torch.zeros_like(self.pha)
        return crop_to(F.interpolate(self.ref_sm, size=self.padded, mode="nearest"), self._size())

    def _size(self) -> tuple[int, int]:
        return self.pha.shape[-2], self.pha.shape[-1]


@torch.no_grad()
def run_any_size(
    net: Network,
    src: Tensor,
    bgr: Tensor,
    *,
    scale: float = 1.0,
    multiple: int = MULTIPLE,
    smallest: int = SMALLEST,
) -> Matte:
    """Matte pictures of any size >= 1x1 with a base or refined network, without gradients.

    src, bgr: (B, 3, H, W) float in [0, 1], on the network's device. net: anything that takes two
    such tensors and returns `Coarse` or `Refined`; a module is to be in eval mode. scale: a base
    network (`Coarse`) may run at a fraction of the size, 0 < scale <= 1; its alpha and foreground
    residual are then upsampled bilinearly (Lin et al. 2021, section 3.3). A refined network
    downsamples by itself: scale must stay 1. Raises ValueError for shapes, types or scales that do
    not fit.
    """
    if src.shape != bgr.shape or src.ndim != 4 or src.shape[1] != 3 or 0 in src.shape:
        raise ValueError(f"src {tuple(src.shape)}, bgr {tuple(bgr.shape)}: expected (B, 3, H, W)")
    if not (src.is_floating_point() and bgr.is_floating_point()):
        raise ValueError(f"src {src.dtype}, bgr {bgr.dtype}: expected floats in [0, 1]")
    if not 0 < scale <= 1:
        raise ValueError(f"scale {scale}: expected 0 < scale <= 1")
    size = (src.shape[-2], src.shape[-1])
    src_full = pad_to(src, multiple, smallest)
    bgr_full = pad_to(bgr, multiple, smallest)
    padded = (src_full.shape[-2], src_full.shape[-1])
    small = [max(round(p * scale / multiple), 1) * multiple for p in padded]
    src_in = src_full if scale == 1 else resize(src_full, small)
    out = net(src_in, bgr_full if scale == 1 else resize(bgr_full, small))
    if isinstance(out, Refined):
        if scale != 1:
            raise ValueError(f"scale {scale}: a refined network takes whole pictures, scale 1")
        pha, fgr, err_sm, ref_sm = out.pha, out.fgr, out.err_sm, out.ref_sm
    else:
        pha, fgr, err_sm, ref_sm = out.pha, out.fgr, out.err, None
        if scale != 1:
            # The residual is smooth, the colour is not: upsample fgr - src, add the sharp src.
            fgr = clamp01(resize(fgr - src_in, list(padded)) + src_full)
            pha = resize(pha, list(padded))
    return Matte(crop_to(pha, size), crop_to(fgr, size), err_sm, ref_sm, padded)


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
