"""The shadow of a subject's own shape, on the floor from its foot or on the wall behind it."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from bgm.augment.ground import (
    SOLID,
    floor_visible,
    foot_row,
    height_above,
    per_sample,
    project_up,
    soften,
)
from bgm.augment.rng import BatchRng


class CastDraw(NamedTuple):
    """Which way, how dark and how soft."""

    on: Tensor  # (B,) bool
    wall: Tensor  # (B,) bool: on the wall, not on the floor
    lean: Tensor  # (B,) sideways, per height of the part that casts it
    stretch: Tensor  # (B,) up the picture, per height of the part that casts it
    shift: Tensor  # (B, 2) of a shadow on the wall, short sides
    depth: Tensor  # (B,) share of light taken
    fade: Tensor  # (B,) share of the depth that is gone where the top's shadow falls
    width: Tensor  # (B,) box width at the foot, pixels
    spread: Tensor  # (B,) times that at the top and on the wall


@dataclass(frozen=True)
class CastShadow:
    """What one lamp or the sun leaves dark: bgr * (1 - depth * shade), shade from the own alpha.

    floor: probability that it lies on the floor; where a subject touches the lower border no floor
    is seen, and it lies on the wall. lean: sideways per height, to either side; stretch:
    length on the floor per height, near: probability that it falls towards the camera; shift:
    farthest on the wall, each way, short sides. depth: share of light taken; fade: share of that
    which is gone by the top; width: softness at the foot in pixels of a 512 picture; spread: times
    softer at the top and on the wall, as lamps are no points.
    """

    p: float = 0.0
    floor: float = 0.65
    lean: tuple[float, float] = (0.1, 1.2)
    stretch: tuple[float, float] = (0.1, 0.5)
    near: float = 0.5
    shift: float = 0.12
    depth: tuple[float, float] = (0.15, 0.65)
    fade: tuple[float, float] = (0.0, 0.8)
    width: tuple[float, float] = (2.0, 14.0)
    spread: tuple[float, float] = (1.0, 4.0)

    def draw(self, rng: BatchRng, unit: float) -> CastDraw:
        """Draw twelve columns; unit = size / 512."""
        on, wall = rng.chance(self.p), ~rng.chance(self.floor)
        left, near = rng.chance(0.5), rng.chance(self.near)
        lean, stretch = rng.uniform(*self.lean), rng.uniform(*self.stretch)
        return CastDraw(
            on=on,
            wall=wall,
            lean=torch.where(left, -lean, lean),
            stretch=torch.where(near, -stretch, stretch),
            shift=torch.stack([rng.uniform(-self.shift, self.shift) for _ in range(2)], 1),
            depth=rng.uniform(*self.depth),
            fade=rng.uniform(*self.fade),
            width=unit * rng.uniform(*self.width),
            spread=rng.uniform(*self.spread),
        )

    def apply(self, x: Tensor, draw: CastDraw) -> Tensor:
        """Darken x[:, :3] by the shadow of x[:, 6:7]; (B, 7, H, W) = bgr, fgr, pha in [0, 1]."""
        pha = x[:, 6:]
        y0, side = foot_row(pha), min(pha.shape[-2:])
        wall = draw.wall.to(x.device) | ~floor_visible(y0, pha)
        stretch = torch.where(wall, 1.0, draw.stretch.to(x.device))
        lean = torch.where(wall, 0.0, draw.lean.to(x.device))
        shift = torch.where(wall[:, None], draw.shift.to(x.device) * side, 0.0)
        shade = project_up(pha, y0, lean, stretch, shift)
        h = height_above(y0, pha)
        top = (h * (pha > SOLID)).amax((1, 2, 3)).clamp_min(1 / side)
        far = (h / per_sample(top * stretch, x)).clamp(0, 1)  # 0 at the foot, 1 at the top's shadow
        far = torch.where(per_sample(wall, x), 1.0, far)
        wide = draw.width * draw.spread
        shade = torch.lerp(soften(shade, draw.width), soften(shade, wide), far)
        fade = torch.where(per_sample(wall, x), 0.0, per_sample(draw.fade, x) * far)
        shade = shade * (1 - fade) * per_sample(draw.depth, x)
        return torch.cat([x[:, :3] * (1 - shade), x[:, 3:]], 1)
