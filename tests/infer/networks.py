"""Small stand-ins for networks, with what the real ones ask for and return."""

import torch
import torch.nn.functional as F

from bgm.types import Coarse, Refined


def keyed(src, bgr):
    """Alpha is the difference of shot and plate: each pixel for itself, so padding cannot show."""
    assert src.shape == bgr.shape
    assert src.shape[-1] % 4 == 0
    assert src.shape[-2] % 4 == 0
    assert not torch.is_grad_enabled()
    return (src - bgr).abs().amax(1, keepdim=True).clamp(0, 1)


def base(src, bgr) -> Coarse:
    pha = keyed(src, bgr)
    return Coarse(pha, src * 0.5, 1 - pha, pha.expand(-1, 32, -1, -1))


def refine(src, bgr) -> Refined:
    H, W = src.shape[-2:]
    assert min(H, W) >= 64  # 8x8 at backbone_scale 1/8
    pha, small = keyed(src, bgr), [H // 8, W // 8]
    pha_sm, fgr_sm = F.interpolate(pha, small), F.interpolate(src, small)
    ref = (F.interpolate(pha, [H // 4, W // 4]) > 0.5).float()
    return Refined(pha, src * 0.5, pha_sm, fgr_sm, 1 - pha_sm, ref)
