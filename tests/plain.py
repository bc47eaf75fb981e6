"""The refined network written down plainly: the reference's work, for truth and for timing.

Whole-picture resizes, zero padding, concatenation, strided windows and an indexed write, no windows
where everything is refined; BatchNorm is not folded. `bgm.model` computes the same picture with
less work, and is tested and timed against this. A `Plain` shares the modules of the network it is
made from, so that gradients compare.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bgm.model import Full, MattingRefine
from bgm.model.base import LEAK
from bgm.ops import clamp01, resize
from bgm.types import Refined


class Plain(nn.Module):
    """The network of `net` (`MattingRefine`), computed as Lin et al. 2021 publish it."""

    def __init__(self, net: MattingRefine):
        super().__init__()
        self.net = net
        self.training = net.training  # not train(): parts may be frozen in eval mode

    def forward(self, src: Tensor, bgr: Tensor) -> Refined:
        """(B, 3, H, W) in [0, 1] each -> Refined."""
        net, leak = self.net, LEAK if self.training else 0.0
        H, W = src.shape[2:]
        small = [H * net.scale_num // net.scale_den, W * net.scale_num // net.scale_den]
        src_sm, bgr_sm = resize(src, small), resize(bgr, small)
        sm = net.base.residual(src_sm, bgr_sm)
        pha, fgr, ref = refined(net.refiner, src, bgr, sm.pha, sm.fgr, sm.err, sm.hid)
        return Refined(
            clamp01(pha, leak),
            clamp01(fgr + src, leak),
            sm.pha,
            clamp01(sm.fgr + src_sm, leak),
            sm.err,
            ref,
        )


def refined(
    refiner: nn.Module,
    src: Tensor,
    bgr: Tensor,
    pha: Tensor,
    fgr: Tensor,
    err: Tensor,
    hid: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """pha and residual fgr at full size, not clamped, and ref, as `PatchRefiner.forward`."""
    H, W = src.shape[2:]
    half_pad, full_pad = (3, 2) if refiner.conv1.kernel_size[0] == 3 else (0, 0)
    patches = refiner.select(resize(err, [H // 4, W // 4]))
    full = torch.cat([src, bgr], 1)
    coarse = torch.cat([hid, pha, fgr], 1)
    half = torch.cat([resize(coarse, [H // 2, W // 2]), resize(full, [H // 2, W // 2])], 1)
    everywhere = isinstance(refiner.select, Full) and not refiner.training
    if everywhere:  # as the reference's mode `full`: the picture is one window
        x, y = (F.pad(x, [pad] * 4) for x, pad in ((half, half_pad), (full, full_pad)))
    else:
        x = windows(half, patches.index, 2, half_pad)
        y = windows(full, patches.index, 4, full_pad)
    x = F.relu(refiner.bn1(refiner.conv1(x)))
    x = F.relu(refiner.bn2(refiner.conv2(x)))
    x = F.interpolate(x, size=y.shape[2:], mode="nearest")
    x = F.relu(refiner.bn3(refiner.conv3(torch.cat([x, y], 1))))
    x = refiner.conv4(x)
    if everywhere:
        return x[:, 0:1], x[:, 1:4], patches.ref
    out = resize(torch.cat([pha, fgr], 1), [H, W])
    kept = patches.index[patches.keep]
    out = scattered(out, x[patches.keep].to(out.dtype), kept)
    return out[:, 0:1], out[:, 1:4], patches.ref


def windows(x: Tensor, index: Tensor, size: int, pad: int) -> Tensor:
    """(P, C, size + 2 pad, the same): the cells of index with pad pixels around, zero outside."""
    x = F.pad(x, [pad, pad, pad, pad])
    views = x.permute(0, 2, 3, 1).unfold(1, size + 2 * pad, size).unfold(2, size + 2 * pad, size)
    return views[index[:, 0], index[:, 1], index[:, 2]]


def scattered(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
    """x (B, C, H, W) with the 4x4 cells of index replaced by y (P, C, 4, 4)."""
    B, C, H, W = x.shape
    cells = x.view(B, C, H // 4, 4, W // 4, 4).permute(0, 2, 4, 1, 3, 5)
    cells = cells.index_put((index[:, 0], index[:, 1], index[:, 2]), y)
    return cells.permute(0, 3, 1, 4, 2, 5).reshape(B, C, H, W)
