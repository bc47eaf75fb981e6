"""Pictures to certify an exported file on: plain ones, and ones that steer the error."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.ops import composite

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
