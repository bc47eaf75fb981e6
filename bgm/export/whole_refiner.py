"""The refiner as plain convolutions over the whole picture: for files that refine everywhere."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bgm.model import PatchRefiner, ScatterNdReplace
from bgm.ops import resize


class WholePicture(nn.Module):
    """In the place of a crop, for select=full: the picture is one window."""


class WholeRefiner(PatchRefiner):
    """What a `PatchRefiner` computes that refines everywhere, as the reference's mode `full` does.

    refiner: stays as it is. The graph holds convolutions and resizes and nothing that gathers, so
    that every runtime takes it; cut into windows it would compute most pixels several times.
    """

    def __init__(self, refiner: PatchRefiner):
        super().__init__(refiner.kernel_size, refiner.select, WholePicture(), ScatterNdReplace())
        self.load_state_dict(refiner.state_dict())

    def forward(
        self, src: Tensor, bgr: Tensor, pha: Tensor, fgr: Tensor, err: Tensor, hid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `PatchRefiner.forward`."""
        H, W = src.shape[2], src.shape[3]
        ref = torch.ones_like(resize(err, [H // 4, W // 4]))
        full = torch.cat([src, bgr], 1)
        small = [H // 2, W // 2]
        half = torch.cat([resize(torch.cat([hid, pha, fgr], 1), small), resize(full, small)], 1)
        x = self.conv1(F.pad(half, [self.half_pad] * 4))
        x = self.convolve(x, F.pad(full, [self.full_pad] * 4))
        return x[:, 0:1], x[:, 1:4], ref
