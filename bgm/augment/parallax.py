"""A plate whose parts have moved by different amounts: what one shift or homography cannot mend."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.augment.rng import BatchRng

NODES = 4  # along each side: how fast depth changes across the picture


class ParallaxDraw(NamedTuple):
    """Where the camera went, and how near everything is."""

    on: Tensor  # (B,) bool
    shift: Tensor  # (B, 2) x, y as fractions of the picture's width and height, of what is nearest
    nearness: Tensor  # (B, NODES, NODES) in [-1, 1]


@dataclass(frozen=True)
class Parallax:
    """The plate seen from a little further on: each place moves along one line, by its nearness.

    translate: the largest movement, +-, as a fraction of the picture's side. nearness is smooth
    noise in [-1, 1]: whoever registered the plate did so for what lies in between.
    """

    p: float = 0.0
    translate: float = 0.01

    def draw(self, rng: BatchRng) -> ParallaxDraw:
        """Draw 3 + NODES**2 columns."""
        on = rng.chance(self.p)
        shift = [rng.uniform(-self.translate, self.translate) for _ in range(2)]
        nodes = [rng.uniform(-1.0, 1.0) for _ in range(NODES**2)]
        nearness = torch.stack(nodes, dim=1).reshape(-1, NODES, NODES)
        return ParallaxDraw(on, torch.stack(shift, dim=1), nearness)

    def apply(self, x: Tensor, draw: ParallaxDraw) -> Tensor:
        """Move (B, C, H, W), mirrored beyond the border."""
        H, W = x.shape[-2:]
        nodes = draw.nearness[:, None].to(x.device)
        nearness = F.interpolate(nodes, size=[H, W], mode="bicubic", align_corners=True)
        nearness = nearness.clamp(-1.0, 1.0).permute(0, 2, 3, 1)  # (B, H, W, 1)
        ys, xs = (torch.arange(n, device=x.device) for n in (H, W))
        still = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], dim=2)  # x, y of a pixel
        sides = torch.tensor([W, H], device=x.device)
        shift = (draw.shift.to(x.device) * sides)[:, None, None]
        grid = (2 * (still + shift * nearness) + 1) / sides - 1
        return F.grid_sample(
            x, grid, mode="bilinear", padding_mode="reflection", align_corners=False
        )
