"""What photographs have along an outline and renders do not: softness, another place's light.

The edge of a photographed subject lies partly out of focus, fur and hair most of all; and where its
colours were estimated from one photograph, or lit from behind, those along the outline are not the
ones further in. Both are part of the foreground's truth: alpha and colour change with the shot.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.augment.image_ops import box_blur
from bgm.augment.rng import BatchRng, Draw, Ingredient, per_sample

NODES = 4  # of smooth noise along each side: how fast it changes across the picture


def noise_nodes(rng: BatchRng, channels: int, side: int) -> Tensor:
    """Numbers in [0, 1] at the corners of a coarse grid, (B, channels, side, side)."""
    nodes = [rng.uniform(0.0, 1.0) for _ in range(channels * side**2)]
    return torch.stack(nodes, dim=1).reshape(-1, channels, side, side)


def spread(nodes: Tensor, like: Tensor) -> Tensor:
    """Smooth noise in [0, 1] of the size and on the device of like (B, C, H, W)."""
    size = list(like.shape[-2:])
    smooth = F.interpolate(nodes.to(like.device), size, mode="bicubic", align_corners=True)
    return smooth.clamp(0.0, 1.0)


@dataclass(frozen=True)
class SoftOutline(Ingredient):
    """Parts of the outline out of focus, as deep fur and what is nearer or further than the rest.

    width: of the blur (two boxes, premultiplied). Where alpha stays 1 around, the picture stays
    sharp; along the outline the share of the blurred one is smooth noise.
    """

    width: tuple[float, float] = (2.0, 8.0)

    def draw(self, rng: BatchRng, unit: float) -> Draw:
        """Draw width in pixels, and where (B, 1, NODES, NODES)."""
        on, width = rng.chance(self.p), unit * rng.uniform(*self.width)
        return {"on": on, "width": width, "where": noise_nodes(rng, 1, NODES)}

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Soften premultiplied colours and alpha, (B, 4, H, W)."""
        width = draw["width"].clamp_min(1.0)
        soft = box_blur(box_blur(x, width), width)
        share = (2 * spread(draw["where"], x)).clamp_max(1.0)
        share = share * (8 * (1 - soft[:, 3:])).clamp(0.0, 1.0)
        return torch.lerp(x, soft, share)


@dataclass(frozen=True)
class Fringe(Ingredient):
    """fgr + strength * (1 - pha) * (other - fgr): the less there is of it, the more another colour.

    other: four colours, one a corner of the picture, and what lies between them.
    """

    SHARES = ("strength",)

    strength: tuple[float, float] = (0.1, 0.9)

    def draw(self, rng: BatchRng, unit: float) -> Draw:
        """Draw strength, and the colours (B, 3, 2, 2)."""
        on, strength = rng.chance(self.p), rng.uniform(*self.strength)
        return {"on": on, "strength": strength, "colours": noise_nodes(rng, 3, 2)}

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Colour straight colours and alpha, (B, 4, H, W); alpha stays."""
        fgr, pha = x[:, :3], x[:, 3:]
        share = per_sample(draw["strength"], x) * (1 - pha)
        return torch.cat([torch.lerp(fgr, spread(draw["colours"], x), share), pha], dim=1)
