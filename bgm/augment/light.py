"""What a subject and its surroundings do to each other in the shot: shadows, mirrors, spilt light.

The plate was taken without the subject: nothing of this is in bgr, and none of it is foreground.
All but `Shadow` work on (B, 7, H, W) = bgr, fgr, pha; `Shadow` on (B, 4, H, W) = bgr, pha.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from bgm.augment.geometry import Affine, warp
from bgm.augment.image_ops import box_blur, premultiply
from bgm.augment.rng import BatchRng, Draw, Ingredient, per_sample

SOLID = 0.5  # alpha from which on something stands
FLAT = 0.3  # height in the picture of a round spot on the floor, seen from the front


@dataclass(frozen=True)
class Shadow(Ingredient):
    """bgr - blur(affine(pha * strength * u)), u uniform in 0..1; width in pixels of a 512 picture.

    Lin et al. 2021, section 4. The map is drawn with the shadow: `affine.p` is not looked at.
    """

    strength: float = 0.0
    width: tuple[float, float] = (20.0, 40.0)
    affine: Affine = field(default_factory=Affine)

    def draw(self, rng: BatchRng, unit: float) -> Draw:
        """Draw the map, depth (how much darker) and box width in pixels."""
        on = rng.chance(self.p)
        drawn = self.affine.draw(rng) | {"on": on, "depth": self.strength * rng.uniform(0, 1)}
        return drawn | {"width": unit * rng.uniform(*self.width)}

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Darken x[:, :3] by the shadow of x[:, 3:]."""
        bgr, pha = x[:, :3], x[:, 3:]
        shade = self.affine.apply(pha, draw) * per_sample(draw["depth"], x)
        return torch.cat([(bgr - box_blur(shade, draw["width"])).clamp(0.0, 1.0), pha], dim=1)


@dataclass(frozen=True)
class Spill(Ingredient):
    """fgr + rim * light * (1 - fgr): light only adds, most where the subject ends.

    light: the background about a pixel; rim: strength * the share of background about it. The
    foreground's truth changes with it. width: how deep into the subject.
    """

    strength: tuple[float, float] = (0.1, 0.6)
    width: tuple[float, float] = (16.0, 90.0)

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Light fgr by bgr past pha."""
        bgr, fgr, pha = x[:, :3], x[:, 3:6], x[:, 6:]
        behind = 1 - pha
        around = box_blur(torch.cat([bgr * behind, behind], 1), draw["width"])
        reach = around[:, :3] * per_sample(draw["strength"], x)
        lit = fgr + reach * (1 - fgr)
        return torch.cat([bgr, lit.clamp(0, 1), pha], 1)


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
    return box_blur(box_blur(x, width * 0.7), width * 0.7)


@dataclass(frozen=True)
class ContactShadow(Ingredient):
    """Darkness where a subject meets the floor: what is near the floor hides its sky.

    depth: share of light taken where it is darkest; reach: up to which height a part of the subject
    counts, short sides. Where a subject touches the lower border nothing happens.
    """

    SHARES = ("depth",)

    depth: tuple[float, float] = (0.2, 0.9)
    reach: tuple[float, float] = (0.02, 0.1)
    width: tuple[float, float] = (6.0, 36.0)

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Darken bgr under pha."""
        pha = x[:, 6:]
        y0 = foot_row(pha)
        h = height_above(y0, pha)
        near = pha * ((1 - h / per_sample(draw["reach"], pha)) * (h >= 0)).clamp(0, 1)
        none = torch.zeros_like(y0)
        flat = project_up(near, y0, none, none + FLAT, none[:, None].expand(-1, 2))
        shade = soften(flat, draw["width"])
        shade = shade / shade.amax((1, 2, 3), keepdim=True).clamp_min(1e-3)
        shade = shade * per_sample(draw["depth"], pha) * per_sample(floor_visible(y0, pha), pha)
        return torch.cat([x[:, :3] * (1 - shade), x[:, 3:]], 1)


@dataclass(frozen=True)
class Reflection(Ingredient):
    """The subject upside down below its lowest point, blurred and fading: a polished floor.

    strength: share of the floor that the mirror replaces at the foot; length: where it has faded to
    nothing, short sides below. All of the subject is mirrored at one row, its lowest.
    """

    SHARES = ("strength",)

    strength: tuple[float, float] = (0.05, 0.45)
    length: tuple[float, float] = (0.1, 0.7)
    width: tuple[float, float] = (1.0, 14.0)

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Mirror fgr and pha in bgr."""
        y0 = foot_row(x[:, 6:])
        none = torch.zeros_like(y0)
        upright = premultiply(x[:, 3:])
        mirror = project_up(upright, y0, none, none - 1, none[:, None].expand(-1, 2))
        h = height_above(y0, x)
        mirror = soften(mirror * (h < 0), draw["width"])
        share = ((1 + h / per_sample(draw["length"], x)) * (h < 0)).clamp(0, 1)
        share = share * per_sample(draw["strength"], x) * per_sample(floor_visible(y0, x), x)
        bgr = x[:, :3] * (1 - share * mirror[:, 3:]) + share * mirror[:, :3]
        return torch.cat([bgr.clamp(0, 1), x[:, 3:]], 1)


@dataclass(frozen=True)
class CastShadow(Ingredient):
    """What one lamp or the sun leaves dark: bgr * (1 - depth * shade), shade from the own alpha.

    floor: probability that it lies on the floor; where a subject touches the lower border no floor
    is seen, and it lies on the wall. lean: sideways per height, to either side; stretch:
    length on the floor per height, near: probability that it falls towards the camera; shift:
    farthest on the wall, each way, short sides. depth: share of light taken; fade: share of that
    which is gone by the top; width: softness at the foot; spread: times softer at the top and on
    the wall, as lamps are no points.
    """

    SHARES = ("floor", "near", "depth", "fade")

    floor: float = 0.65
    lean: tuple[float, float] = (0.1, 1.2)
    stretch: tuple[float, float] = (0.1, 0.5)
    near: float = 0.5
    shift: float = 0.12
    depth: tuple[float, float] = (0.15, 0.65)
    fade: tuple[float, float] = (0.0, 0.8)
    width: tuple[float, float] = (2.0, 14.0)
    spread: tuple[float, float] = (1.0, 4.0)

    def draw(self, rng: BatchRng, unit: float) -> Draw:
        """Draw lean and stretch with their signs, shift (B, 2), and the rest as they are named."""
        on, wall = rng.chance(self.p), ~rng.chance(self.floor)
        left, near = rng.chance(0.5), rng.chance(self.near)
        lean, stretch = rng.uniform(*self.lean), rng.uniform(*self.stretch)
        return {
            "on": on,
            "wall": wall,
            "lean": torch.where(left, -lean, lean),
            "stretch": torch.where(near, -stretch, stretch),
            "shift": rng.pair(self.shift),
            "depth": rng.uniform(*self.depth),
            "fade": rng.uniform(*self.fade),
            "width": unit * rng.uniform(*self.width),
            "spread": rng.uniform(*self.spread),
        }

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Darken bgr by the shadow of pha."""
        pha = x[:, 6:]
        y0, side = foot_row(pha), min(pha.shape[-2:])
        wall = draw["wall"].to(x.device) | ~floor_visible(y0, pha)
        stretch = torch.where(wall, 1.0, draw["stretch"].to(x.device))
        lean = torch.where(wall, 0.0, draw["lean"].to(x.device))
        shift = torch.where(wall[:, None], draw["shift"].to(x.device) * side, 0.0)
        shade = project_up(pha, y0, lean, stretch, shift)
        h = height_above(y0, pha)
        top = (h * (pha > SOLID)).amax((1, 2, 3)).clamp_min(1 / side)
        far = (h / per_sample(top * stretch, x)).clamp(0, 1)  # 0 at the foot, 1 at the top's shadow
        far = torch.where(per_sample(wall, x), 1.0, far)
        wide = draw["width"] * draw["spread"]
        shade = torch.lerp(soften(shade, draw["width"]), soften(shade, wide), far)
        fade = torch.where(per_sample(wall, x), 0.0, per_sample(draw["fade"], x) * far)
        shade = shade * (1 - fade) * per_sample(draw["depth"], x)
        return torch.cat([x[:, :3] * (1 - shade), x[:, 3:]], 1)
