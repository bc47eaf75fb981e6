"""The shadow that a subject casts on the background of the shot, and on the shot only."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from bgm.augment import image_ops
from bgm.augment.geometry import Affine, AffineDraw, affine_matrix, warp
from bgm.augment.rng import BatchRng


class ShadowDraw(NamedTuple):
    """The fields of AffineDraw, then depth and softness."""

    on: Tensor  # (B,) bool
    flip: Tensor
    angle: Tensor
    shear: Tensor
    scale: Tensor
    shift: Tensor
    depth: Tensor  # (B,) how much darker
    width: Tensor  # (B,) box width in pixels


@dataclass(frozen=True)
class Shadow:
    """bgr - blur(affine(pha * strength * u)), u uniform in 0..1; width in pixels of a 512 picture.

    Lin et al. 2021, section 4. The map is drawn with the shadow: `affine.p` is not looked at.
    """

    p: float = 0.0
    strength: float = 0.0
    width: tuple[float, float] = (20.0, 40.0)
    affine: Affine = field(default_factory=Affine)

    def draw(self, rng: BatchRng, unit: float) -> ShadowDraw:
        """Draw map, depth and softness; unit = size / 512."""
        on = rng.chance(self.p)
        map_ = self.affine.draw(rng)._replace(on=on)
        depth = self.strength * rng.uniform(0, 1)
        return ShadowDraw(*map_, depth=depth, width=unit * rng.uniform(*self.width))

    def apply(self, x: Tensor, draw: ShadowDraw) -> Tensor:
        """Darken x[:, :3] by the shadow of x[:, 3:]; (B, 4, H, W) bgr and pha in [0, 1]."""
        bgr, pha = x[:, :3], x[:, 3:]
        size = tuple(pha.shape[-2:])
        matrix = affine_matrix(AffineDraw(*draw[:6]), size, size)
        shade = warp(pha, matrix, size, "zeros") * draw.depth.to(x.device)[:, None, None, None]
        dark = (bgr - image_ops.box_blur(shade, draw.width)).clamp(0.0, 1.0)
        return torch.cat([dark, pha], dim=1)
