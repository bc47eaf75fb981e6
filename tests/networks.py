"""Networks for tests: formula weights, err that varies, as small as they go."""

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


def mobile(select: nn.Module | None = None, kernel_size: int = 3) -> nn.Module:
    return refined(mobilenetv2(), select, kernel_size=kernel_size)


def refined(
    encoder: nn.Module,
    select: nn.Module | None = None,
    scale: float = 0.25,
    kernel_size: int = 3,
) -> nn.Module:
    refiner = PatchRefiner(kernel_size, select=select or Sampling(800))
    return fill(MattingRefine(MattingBase(encoder), refiner, scale))


def steered(net: nn.Module) -> nn.Module:
    """net with err = src's red at the coarse size, so that pictures choose the patches."""
    with torch.no_grad():
        last = net.base.decoder.conv4
        last.weight[4] = 0
        last.weight[4, last.in_channels - 6, 1, 1] = 1  # the skip [src, bgr] comes last
        last.bias[4] = 0
    return net


def worst(net: nn.Module, run, *sizes: tuple[int, int, int]) -> float:
    """The largest difference in any output of run from net at these batches, heights, widths."""
    found = 0.0
    for batch, height, width in sizes:
        generator = torch.Generator().manual_seed(height)
        src, bgr = torch.rand(2, batch, 3, height, width, generator=generator)
        with torch.no_grad():
            pairs = zip(net(src, bgr), run(src, bgr), strict=True)
            found = max(found, *((a - b).abs().max().item() for a, b in pairs))
    return found


def mean_alpha_error(net: nn.Module, run, size: tuple[int, int, int]) -> float:
    """The mean difference of alpha from net's at this batch, height, width."""
    batch, height, width = size
    src, bgr = torch.rand(2, batch, 3, height, width, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return (net(src, bgr).pha - run(src, bgr).pha).abs().mean().item()


def write(target, net: nn.Module, path):
    """Write net with a target, without its proof, and open the file."""
    target.check_request(net, path)
    prepared = target.prepare(target.truth(net))
    target.write(prepared, path, target.describe(prepared))
    return target.open(path)
