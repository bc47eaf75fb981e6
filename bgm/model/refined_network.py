"""The refined network: the base at low resolution, the refiner where it erred."""

from fractions import Fraction

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.model.base import LEAK, MattingBase, check_pictures
from bgm.model.cells import Cells
from bgm.model.hidden import CoarseMaps, LastLayer
from bgm.model.refiner import PatchRefiner
from bgm.model.sparse import SparseRefiner
from bgm.model.upsample import upsampled
from bgm.ops import clamp01, resize, shrink
from bgm.types import Refined


class MattingRefine(nn.Module):
    """Base network at backbone_scale, patch refiner at full resolution; Lin et al. 2021, figure 3.

    backbone_scale: coarse size / full size, above 0 and at most 1/2 (1/4 for HD, 1/8 for 4K).
    """

    leak: torch.jit.Final[float] = LEAK

    def __init__(self, base: MattingBase, refiner: PatchRefiner, backbone_scale: float = 0.25):
        super().__init__()
        self.base = base
        self.refiner = refiner
        self.scale_num, self.scale_den = as_ratio(backbone_scale)

    @property
    def backbone_scale(self) -> float:
        return self.scale_num / self.scale_den

    def at_scale(self, backbone_scale: float) -> "MattingRefine":
        """The same network (and modules) at another backbone_scale, above 0 and at most 1/2."""
        return MattingRefine(self.base, self.refiner, backbone_scale).train(self.training)

    def blocks(self) -> list[nn.Module]:
        """The parts one after the other, as training in less memory cuts the network."""
        return [*self.base.blocks(), self.refiner]

    def forward(self, src: Tensor, bgr: Tensor) -> Refined:
        """(B, 3, H, W) in [0, 1] each -> Refined.

        Raises ValueError when src and bgr differ in shape or H or W is not divisible by 4.
        """
        check_pictures(src, bgr)
        if not torch.jit.is_scripting() and self.only_infers(src):
            return self.inferred(src, bgr)
        leak = self.leak if self.training else 0.0
        H, W = src.shape[2], src.shape[3]
        small = [H * self.scale_num // self.scale_den, W * self.scale_num // self.scale_den]
        src_sm, bgr_sm = resize(src, small), resize(bgr, small)
        sm = self.base.residual(src_sm, bgr_sm)
        pha, fgr, ref = self.refiner(src, bgr, sm.pha, sm.fgr, sm.err, sm.hid)
        return Refined(
            pha=clamp01(pha, leak),
            fgr=clamp01(fgr + src, leak),
            pha_sm=sm.pha,
            fgr_sm=clamp01(sm.fgr + src_sm, leak),
            err_sm=sm.err,
            ref_sm=ref,
        )

    @torch.jit.unused
    def only_infers(self, src: Tensor) -> bool:
        """Whether `inferred` will do: no gradients, float32 throughout, no graph to be written."""
        refiner = self.refiner
        graph = refiner.crop is not None or torch.compiler.is_compiling()
        lowered = src.dtype != torch.float32 or torch.is_autocast_enabled(src.device.type)
        return not (refiner.training or torch.is_grad_enabled() or graph or lowered)

    @torch.jit.unused
    def inferred(self, src: Tensor, bgr: Tensor) -> Refined:
        """The same picture in less time: the coarse one is written once, patches into it."""
        src, bgr = src.contiguous(), bgr.contiguous()
        H, W = src.shape[2], src.shape[3]
        small = [H * self.scale_num // self.scale_den, W * self.scale_num // self.scale_den]
        src_sm, bgr_sm = shrink(src, small), shrink(bgr, small)
        # Weights are read afresh: folding four small convolutions takes 6 ms.
        layer, refiner = LastLayer(self.base.decoder.conv4), SparseRefiner(self.refiner)
        maps = CoarseMaps(self.base.features(src_sm, bgr_sm), layer, src.dtype)
        return refined_in_place(src, bgr, src_sm, maps, refiner)


def refined_in_place(
    src: Tensor, bgr: Tensor | Cells, src_sm: Tensor, maps: CoarseMaps, refiner: SparseRefiner
) -> Refined:
    """The coarse picture at full size, written once, and the patches into it.

    src (B, 3, H, W) contiguous, bgr the same or its cells, src_sm (B, 3, Hc, Wc).
    """
    pha_sm, residual, err_sm = (x.contiguous() for x in maps.seen.split([1, 3, 1], 1))
    pha, fgr = upsampled(pha_sm, residual, src)
    ref = refiner(src, bgr, maps, err_sm, pha, fgr)
    return Refined(pha, fgr, pha_sm, clamp01(residual + src_sm), err_sm, ref)


def as_ratio(backbone_scale: float) -> tuple[int, int]:
    """backbone_scale as a ratio of integers: floats on sizes break dynamic shapes in torch.export.

    Raises BadInput unless it is a number in (0, 1/2], 1/1024 at least.
    """
    number = isinstance(backbone_scale, int | float) and 1 / 1024 <= backbone_scale <= 0.5
    if not number:
        raise BadInput(f"backbone_scale is {backbone_scale}, expected above 0 and at most 0.5")
    scale = Fraction(backbone_scale).limit_denominator(1024)
    return scale.numerator, scale.denominator
