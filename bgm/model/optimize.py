"""A network made for inference: the same picture, in less time and memory."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bgm.model.base import MattingBase, check_pictures
from bgm.model.cells import Cells, cut
from bgm.model.hidden import CoarseMaps, LastLayer
from bgm.model.refined_network import MattingRefine, as_ratio, refined_in_place
from bgm.model.sparse import SparseRefiner
from bgm.ops import clamp01, shrink
from bgm.types import Coarse, Refined


def folded(net: nn.Module) -> nn.Module:
    """net (changed, in eval mode) with each BatchNorm folded into the convolution before it.

    Pairs are neighbours in a Sequential and `convN`, `bnN` elsewhere, torchvision's and our names;
    a BatchNorm of another name stays, which is slower and as right. torch.export cannot tell a
    BatchNorm on a data-dependent number of patches from one on none; without it there is no doubt.
    """
    for parent in net.modules():
        children = dict(parent.named_children())
        following = dict(zip(children, list(children)[1:], strict=False))
        for name, child in children.items():
            in_order = isinstance(parent, nn.Sequential)
            norm = following.get(name) if in_order else name.replace("conv", "bn")
            batch_norm = children.get(norm) if norm else None
            if norm and isinstance(child, nn.Conv2d) and isinstance(batch_norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(child, batch_norm))
                setattr(parent, norm, nn.Identity())
    return net


class Plate(NamedTuple):
    """What depends on a plate alone, for all frames of a clip whose camera stands."""

    shape: list[int]  # of the plate, [B, 3, H, W]
    small: Tensor  # at the size the base network sees
    cells: Cells


def optimize(
    net: nn.Module, dtype: torch.dtype = torch.float32, compile: bool = False
) -> "OptimizedBase | OptimizedRefine":
    """A copy of a base or refined network for inference; net stays as it is.

    BatchNorm is folded, convolutions run channels last, the refiner touches only what it refines.
    dtype: of the base network's convolutions; pictures, refiner and answers stay float32. compile:
    the base network goes through torch.compile (and CUDA graphs, on a GPU): worth its minute for
    pictures of one size. The copy takes no gradient and is never in training mode.
    """
    if isinstance(net, MattingRefine):
        scale = (net.scale_num, net.scale_den)
        base, refiner = OptimizedBase(net.base, dtype, compile), SparseRefiner(net.refiner)
        return OptimizedRefine(base, refiner, scale).eval()
    if isinstance(net, MattingBase):
        return OptimizedBase(net, dtype, compile).eval()
    raise ValueError(f"{type(net).__name__} is no matting network of bgm.model")


class OptimizedBase(nn.Module):
    """A `MattingBase` for inference. See `optimize`."""

    def __init__(self, base: MattingBase, dtype: torch.dtype, compile: bool):
        super().__init__()
        copied: Any = folded(copy.deepcopy(base).eval().requires_grad_(False))
        self.net: Any = copied.to(dtype).to(memory_format=torch.channels_last)
        self.dtype, self.layer = dtype, LastLayer(copied.decoder.conv4)
        self.features: Callable[[Tensor, Tensor], Tensor] = copied.features
        if compile:
            self.features = torch.compile(copied.features, mode="reduce-overhead", dynamic=False)

    @torch.no_grad()
    def forward(self, src: Tensor, bgr: Tensor) -> Coarse:
        """(B, 3, H, W) in [0, 1] each -> Coarse with the foreground's colour."""
        check_pictures(src, bgr)
        x = self.net.decoder.conv4(self.read(src, bgr)).to(src.dtype)
        fgr = clamp01(x[:, 1:4] + src)
        return Coarse(clamp01(x[:, :1]), fgr, clamp01(x[:, 4:5]), x[:, 5:].relu())

    def read(self, src: Tensor, bgr: Tensor) -> Tensor:
        """What the last layer reads, channels last."""
        last = torch.channels_last
        return self.features(*(x.to(self.dtype).contiguous(memory_format=last) for x in (src, bgr)))

    def coarse_maps(self, src: Tensor, bgr: Tensor) -> CoarseMaps:
        """What the refiner reads, hid only where it does."""
        return CoarseMaps(self.read(src, bgr), self.layer, src.dtype)


class OptimizedRefine(nn.Module):
    """A `MattingRefine` for inference: no gradients, eval mode only. See `optimize`."""

    def __init__(self, base: OptimizedBase, refiner: SparseRefiner, scale: tuple[int, int]):
        super().__init__()
        self.base, self.refiner = base, refiner
        self.scale_num, self.scale_den = scale

    @property
    def backbone_scale(self) -> float:
        return self.scale_num / self.scale_den

    def at_scale(self, backbone_scale: float) -> "OptimizedRefine":
        """The same network at another backbone_scale, above 0 and at most 1/2."""
        return OptimizedRefine(self.base, self.refiner, as_ratio(backbone_scale)).eval()

    def small(self, height: int, width: int) -> list[int]:
        """Height and width that the base network sees."""
        return [side * self.scale_num // self.scale_den for side in (height, width)]

    @torch.no_grad()
    def plate(self, bgr: Tensor) -> Plate:
        """What frames that share bgr (B, 3, H, W) need of it; forward takes it in bgr's place."""
        check_pictures(bgr, bgr)
        return Plate(list(bgr.shape), shrink(bgr, self.small(*bgr.shape[2:])), cut(bgr))

    @torch.no_grad()
    def forward(self, src: Tensor, bgr: Tensor | Plate) -> Refined:
        """src (B, 3, H, W) and bgr, the same or its `plate`, in [0, 1] -> Refined.

        Raises ValueError when src and bgr differ in shape or H or W is not divisible by 4.
        """
        pixels: Tensor | Cells
        if isinstance(bgr, Plate):
            if list(src.shape) != bgr.shape:
                raise ValueError(f"src {list(src.shape)} and bgr {bgr.shape} differ")
            bgr_sm, pixels = bgr.small, bgr.cells
        else:
            check_pictures(src, bgr)
            bgr_sm, pixels = shrink(bgr, self.small(*bgr.shape[2:])), bgr
        src = src.contiguous()
        src_sm = shrink(src, self.small(*src.shape[2:]))
        maps = self.base.coarse_maps(src_sm, bgr_sm)
        return refined_in_place(src, pixels, src_sm, maps, self.refiner)


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
