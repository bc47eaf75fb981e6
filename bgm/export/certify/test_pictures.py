"""Pictures that files are tried on, and a network whose error they steer."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bgm.export.prepare import copy_to_cpu
from bgm.ops import composite

SKIP = 6  # the last channels that the decoder's last convolution sees: src and bgr as they came in


def steer_error(net: nn.Module) -> nn.Module:
    """A copy of a refined network that predicts err = src's red; all other weights are the same.

    Nobody can paint a picture on which a trained network predicts the error that one wants, and a
    file is not proved before it has met no error, error everywhere and error in one picture only.
    """
    copied: Any = copy_to_cpu(net)
    last = copied.base.decoder.conv4
    with torch.no_grad():
        weight, bias = last.weight.clone(), last.bias.clone()
        row, bias[4] = torch.zeros_like(weight[4]), 0.0
        row[-SKIP, 1, 1] = 1.0  # red is the first of them, 1, 1 the centre of 3x3
        weight[4] = row
    last.weight, last.bias = nn.Parameter(weight), nn.Parameter(bias)
    return copied


Draw = Callable[[int, int, int], tuple[Tensor, Tensor]]  # (batch, height, width) -> src, bgr


def smooth(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """src and bgr (B, 3, H, W): smooth backgrounds, and on src blobs that are a little rougher."""
    generator = generator_of(batch, height, width)
    bgr = noise(generator, batch, 3, height, width, 16)
    pha = ((noise(generator, batch, 1, height, width, 12) - 0.5) * 8 + 0.5).clamp(0, 1)
    fine, finest = (noise(generator, batch, 3, height, width, cell) for cell in (6, 1))
    return composite(0.5 * fine + 0.5 * finest, pha, bgr), bgr


def random(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """src and bgr (B, 3, H, W): every pixel for itself."""
    generator = generator_of(batch, height, width)
    src, bgr = torch.rand([2, batch, 3, height, width], generator=generator)
    return src, bgr


def no_error(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Red 0 in src: a steered error is 0 everywhere, and no patch may be refined."""
    return with_red(torch.zeros(batch, 1, height, width))


def all_error(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Red 1 in src: a steered error is 1 everywhere, and all patches tie."""
    return with_red(torch.ones(batch, 1, height, width))


def last_error(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Red 0 in src except in the last picture of the batch, whose red is noise above 0."""
    red = torch.zeros(batch, 1, height, width)
    red[-1:] = 0.05 + 0.95 * noise(generator_of(batch, width, height), 1, 1, height, width, 9)
    return with_red(red)


PLAIN: dict[str, Draw] = {"random": random, "smooth": smooth}
STEERED: dict[str, Draw] = {
    "no error": no_error,
    "all error": all_error,
    "error in the last": last_error,
}


def with_red(red: Tensor) -> tuple[Tensor, Tensor]:
    """`smooth` pictures with another red channel (B, 1, H, W) in src."""
    src, bgr = smooth(len(red), *red.shape[2:])
    return torch.cat([red, src[:, 1:]], 1), bgr


def generator_of(*numbers: int) -> torch.Generator:
    """The same pictures for the same numbers, on every machine."""
    return torch.Generator().manual_seed(sum(n * 1_009**i for i, n in enumerate(numbers)))


def noise(
    generator: torch.Generator, batch: int, channels: int, height: int, width: int, cell: int
) -> Tensor:
    """Noise (B, C, H, W) in [0, 1] whose grains are cell pixels wide."""
    size = [height // cell + 2, width // cell + 2]
    x = torch.rand([batch, channels, *size], generator=generator)
    return F.interpolate(x, size=[height, width], mode="bicubic").clamp(0, 1)
