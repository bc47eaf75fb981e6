"""Where a subject stands, and what the floor under it shows in the shot: darkness and a mirror.

The plate was taken without the subject: nothing of this is in bgr, and none of it is foreground.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from bgm.augment import image_ops
from bgm.augment.geometry import warp
from bgm.augment.rng import BatchRng

SOLID = 0.5  # alpha from which on something stands
FLAT = 0.3  # height in the picture of a round spot on the floor, seen from the front


def per_sample(x: Tensor, like: Tensor) -> Tensor:
    """(B,) as (B, 1, 1, 1) on the device of like."""
    return x.to(like.device)[:, None, None, None]


def foot_row(pha: Tensor) -> Tensor:
    """Lowest row that the subject of (B, 1, H, W) stands in, (B,) float; 0 where there is none."""
    rows = torch.arange(pha.shape[-2], device=pha.device)
    return ((pha > SOLID).any(-1)[:, 0] * rows).amax(1).to(pha.dtype)


def floor_visible(y0: Tensor, pha: Tensor) -> Tensor:
    """Whether the floor under foot row y0 is seen, (B,) bool: one is there, and not cut off."""
    return (y0 > 0) & (y0 < pha.shape[-2] - 1)


def height_above(y0: Tensor, like: Tensor) -> Tensor:
    """Height of the pixels of (B, C, H, W) above row y0 (B,) in short sides, (B, 1, H, 1)."""
    rows = torch.arange(like.shape[-2], device=like.device, dtype=like.dtype)
    return (y0[:, None, None, None] - rows[:, None]) / min(like.shape[-2:])


def project_up(x: Tensor, y0: Tensor, lean: Tensor, stretch: Tensor, shift: Tensor) -> Tensor:
    """Move what is h pixels above row y0 of (B, C, H, W) to stretch h above it, lean h aside.

    y0, lean, stretch: (B,); shift: (B, 2) = x, y, pixels, on top of it. The border goes on beyond
    the frame: a subject that it cuts casts a shadow that is cut, too.
    """
    one, none = torch.ones_like(y0), torch.zeros_like(y0)
    across = torch.stack([one, -lean, lean * y0 + shift[:, 0]], 1)
    down = torch.stack([none, stretch, y0 - stretch * y0 + shift[:, 1]], 1)
    matrix = torch.stack([across, down, torch.stack([none, none, one], 1)], 1)
    return warp(x, matrix, tuple(x.shape[-2:]), "border")


def soften(x: Tensor, width: Tensor) -> Tensor:
    """Blur (B, C, H, W) by a tent of a mean width (B,) in pixels: a box would leave streaks."""
    return image_ops.box_blur(image_ops.box_blur(x, width * 0.7), width * 0.7)


class ContactDraw(NamedTuple):
    """How dark and how wide."""

    on: Tensor  # (B,) bool
    depth: Tensor  # (B,) share of light taken where it is darkest
    reach: Tensor  # (B,) how high above the floor things still darken it, short sides
    width: Tensor  # (B,) box width in pixels


@dataclass(frozen=True)
class ContactShadow:
    """Darkness where a subject meets the floor: what is near the floor hides its sky.

    depth: share of light taken where it is darkest; reach: up to which height a part of the subject
    counts, short sides; width: softness in pixels of a 512 picture. Where a subject touches the
    lower border no floor is seen, and the background stays as it was.
    """

    p: float = 0.0
    depth: tuple[float, float] = (0.2, 0.9)
    reach: tuple[float, float] = (0.02, 0.1)
    width: tuple[float, float] = (6.0, 36.0)

    def draw(self, rng: BatchRng, unit: float) -> ContactDraw:
        """Draw four columns; unit = size / 512."""
        on, depth, reach = rng.chance(self.p), rng.uniform(*self.depth), rng.uniform(*self.reach)
        return ContactDraw(on, depth, reach, unit * rng.uniform(*self.width))

    def apply(self, x: Tensor, draw: ContactDraw) -> Tensor:
        """Darken x[:, :3] under x[:, 6:7]; (B, 7, H, W) = bgr, fgr, pha in [0, 1]."""
        pha = x[:, 6:]
        y0 = foot_row(pha)
        h = height_above(y0, pha)
        near = pha * ((1 - h / per_sample(draw.reach, pha)) * (h >= 0)).clamp(0, 1)
        none = torch.zeros_like(y0)
        flat = project_up(near, y0, none, none + FLAT, none[:, None].expand(-1, 2))
        shade = soften(flat, draw.width)
        shade = shade / shade.amax((1, 2, 3), keepdim=True).clamp_min(1e-3)
        shade = shade * per_sample(draw.depth, pha) * per_sample(floor_visible(y0, pha), pha)
        return torch.cat([x[:, :3] * (1 - shade), x[:, 3:]], 1)


class MirrorDraw(NamedTuple):
    """How clear and how far."""

    on: Tensor  # (B,) bool
    strength: Tensor  # (B,) share of the floor's colour that the mirror replaces at the foot
    length: Tensor  # (B,) down to which distance from the foot, short sides
    width: Tensor  # (B,) box width in pixels


@dataclass(frozen=True)
class Reflection:
    """The subject upside down below its lowest point, blurred and fading: a polished floor.

    strength: share of the floor that the mirror replaces at the foot; length: where it has faded to
    nothing, short sides below; width: softness in pixels of a 512 picture. All of the subject is
    mirrored at one row, its lowest: feet that stand further back float above theirs.
    """

    p: float = 0.0
    strength: tuple[float, float] = (0.05, 0.45)
    length: tuple[float, float] = (0.1, 0.7)
    width: tuple[float, float] = (1.0, 14.0)

    def draw(self, rng: BatchRng, unit: float) -> MirrorDraw:
        """Draw four columns; unit = size / 512."""
        on, strength = rng.chance(self.p), rng.uniform(*self.strength)
        return MirrorDraw(on, strength, rng.uniform(*self.length), unit * rng.uniform(*self.width))

    def apply(self, x: Tensor, draw: MirrorDraw) -> Tensor:
        """Mirror x[:, 3:] in x[:, :3]; (B, 7, H, W) = bgr, fgr, pha in [0, 1]."""
        y0 = foot_row(x[:, 6:])
        none = torch.zeros_like(y0)
        upright = image_ops.premultiply(x[:, 3:])
        mirror = project_up(upright, y0, none, none - 1, none[:, None].expand(-1, 2))
        h = height_above(y0, x)
        mirror = soften(mirror * (h < 0), draw.width)
        share = ((1 + h / per_sample(draw.length, x)) * (h < 0)).clamp(0, 1)
        share = share * per_sample(draw.strength, x)
        share = share * per_sample(floor_visible(y0, x), x)
        bgr = x[:, :3] * (1 - share * mirror[:, 3:]) + share * mirror[:, :3]
        return torch.cat([bgr.clamp(0, 1), x[:, 3:]], 1)
