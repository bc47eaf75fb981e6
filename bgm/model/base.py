"""The base network: src and bgr in, coarse alpha, foreground, error and features out."""

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from bgm.ops import clamp01, resize
from bgm.types import Coarse


class Decoder(nn.Module):
    """Upsample to each skip's size, concatenate, convolve: 1/16 to 1/1 in four steps.

    widths: channels in and after each step, five numbers. skips: channels of the taps at
    1/8, 1/4, 1/2, 1/1. The last step is a bare convolution.
    """

    def __init__(self, widths: list[int], skips: list[int]):
        super().__init__()
        self.conv1 = nn.Conv2d(widths[0] + skips[0], widths[1], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[1])
        self.conv2 = nn.Conv2d(widths[1] + skips[1], widths[2], 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(widths[2])
        self.conv3 = nn.Conv2d(widths[2] + skips[2], widths[3], 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(widths[3])
        self.conv4 = nn.Conv2d(widths[3] + skips[3], widths[4], 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x4: Tensor, x3: Tensor, x2: Tensor, x1: Tensor, x0: Tensor) -> Tensor:
        return self.conv4(self.features(x4, x3, x2, x1, x0))

    def features(self, x4: Tensor, x3: Tensor, x2: Tensor, x1: Tensor, x0: Tensor) -> Tensor:
        """What the last convolution reads, at x0's size."""
        x = self.relu(self.bn1(self.conv1(torch.cat([resize(x4, list(x3.shape[2:])), x3], 1))))
        x = self.relu(self.bn2(self.conv2(torch.cat([resize(x, list(x2.shape[2:])), x2], 1))))
        x = self.relu(self.bn3(self.conv3(torch.cat([resize(x, list(x1.shape[2:])), x1], 1))))
        # Under autocast x0, the pictures, is float32: cat would widen all of its largest input.
        return torch.cat([resize(x, list(x0.shape[2:])), x0.to(x.dtype)], 1)


LEAK = 0.01  # gradient outside [0, 1] while training; evaluation clamps hard


class MattingBase(nn.Module):
    """Encoder, ASPP and decoder over cat[src, bgr]; Lin et al. 2021, section 3.2.

    backbone: a module that is an `Encoder`.
    """

    leak: torch.jit.Final[float] = LEAK

    def __init__(self, backbone: nn.Module):
        super().__init__()
        channels: Any = backbone.channels
        skips = channels[:4][::-1]
        self.backbone = backbone
        self.aspp = ASPP(channels[4], [3, 6, 9])
        self.decoder = Decoder([256, 128, 64, 48, 37], skips)

    def blocks(self) -> list[nn.Module]:
        """The parts one after the other, as training in less memory cuts the network."""
        backbone: Any = self.backbone
        return [*backbone.blocks(), self.aspp, self.decoder]

    def forward(self, src: Tensor, bgr: Tensor) -> Coarse:
        """(B, 3, H, W) in [0, 1] each -> Coarse with the foreground's colour.

        Raises ValueError when src and bgr differ in shape or H or W is not divisible by 4.
        """
        check_pictures(src, bgr)
        coarse = self.residual(src, bgr)
        fgr = clamp01(coarse.fgr + src, self.leak if self.training else 0.0)
        return Coarse(coarse.pha, fgr, coarse.err, coarse.hid)

    @torch.jit.export
    def residual(self, src: Tensor, bgr: Tensor) -> Coarse:
        """The same at any size, with the unclamped residual fgr - src in the place of fgr."""
        leak = self.leak if self.training else 0.0
        x = self.maps(src, bgr)
        pha = clamp01(x[:, 0:1], leak)
        err = clamp01(x[:, 4:5], leak)
        return Coarse(pha, x[:, 1:4], err, torch.relu(x[:, 5:37]))

    def maps(self, src: Tensor, bgr: Tensor) -> Tensor:
        """What the decoder gives, (B, 37, H, W): pha, residual, err, hid, none of them clamped."""
        return self.decoder.conv4(self.features(src, bgr))

    def features(self, src: Tensor, bgr: Tensor) -> Tensor:
        """What the last convolution reads, (B, C, H, W): `maps` before it."""
        taps = self.backbone(torch.cat([src, bgr], 1))
        return self.decoder.features(self.aspp(taps[4]), taps[3], taps[2], taps[1], taps[0])


def check_pictures(src: Tensor, bgr: Tensor) -> None:
    """Raise ValueError, naming both values, unless src and bgr fit each other and the networks."""
    if src.shape != bgr.shape:
        raise ValueError(f"src {list(src.shape)} and bgr {list(bgr.shape)} differ")
    H, W = src.shape[2], src.shape[3]
    if H % 4 != 0 or W % 4 != 0:
        raise ValueError(f"height {H} and width {W} must both be divisible by 4")
