"""The decoder: four upsampling steps with skips, Lin et al. 2021, section 3.2."""

import torch
from torch import Tensor, nn

from bgm.ops import resize


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
