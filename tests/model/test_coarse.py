"""Large pictures: the base network sees as much as it knows what to do with."""

import pytest
import torch

from bgm.model import MattingBase, MattingRefine, PatchRefiner, mobilenetv2
from bgm.model.optimize import CoarseAtMost

NET = MattingRefine(MattingBase(mobilenetv2()), PatchRefiner(), 0.5).eval()


@pytest.mark.parametrize(
    ("size", "coarse"),
    [((64, 128), (32, 64)), ((128, 256), (36, 72)), ((96, 64), (48, 32)), ((64, 1152), (4, 72))],
)
@torch.no_grad()
def test_the_base_network_sees_at_most_so_many_pixels(size, coarse):
    src, bgr = torch.rand(2, 1, 3, *size)
    found = CoarseAtMost(NET, 72)(src, bgr)
    assert found.err_sm.shape[-2:] == coarse
    assert found.pha.shape[-2:] == size
    if coarse[1] * 2 == size[1]:
        assert torch.equal(found.pha, NET(src, bgr).pha)
    assert NET.backbone_scale == 0.5
