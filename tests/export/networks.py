"""Networks for the export tests: formula weights, err that varies, as small as they go."""

import torch
from torch import Tensor, nn

from bgm.model import MattingBase, MattingRefine, PatchRefiner, Sampling, mobilenetv2
from tests.weights_by_formula import fill


class TinyEncoder(nn.Module):
    """Four strided convolutions with the taps of a real encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = [6, 8, 8, 8, 8]
        self.conv1 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.conv4 = nn.Conv2d(8, 8, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> list[Tensor]:
        x1 = torch.relu(self.conv1(x))
        x2 = torch.relu(self.conv2(x1))
        x3 = torch.relu(self.conv3(x2))
        return [x, x1, x2, x3, torch.relu(self.conv4(x3))]


def tiny(select: nn.Module | None = None, scale: float = 0.25, kernel_size: int = 3) -> nn.Module:
    return refined(TinyEncoder(), select, scale, kernel_size)


def mobile(select: nn.Module | None = None) -> nn.Module:
    return refined(mobilenetv2(), select)


def refined(
    encoder: nn.Module,
    select: nn.Module | None = None,
    scale: float = 0.25,
    kernel_size: int = 3,
) -> nn.Module:
    refiner = PatchRefiner(kernel_size, select=select or Sampling(800))
    return fill(MattingRefine(MattingBase(encoder), refiner, scale))
