"""Light of the surroundings on the subject: its rim takes on the colours behind it."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from bgm.augment import image_ops
from bgm.augment.rng import BatchRng


class SpillDraw(NamedTuple):
    """How much and how deep."""

    on: Tensor  # (B,) bool
    strength: Tensor  # (B,) share of the rim's remaining darkness that is filled
    width: Tensor  # (B,) how deep into the subject, box width in pixels


@dataclass(frozen=True)
class Spill:
    """fgr + rim * light * (1 - fgr): light only adds, most where the subject ends.

    light: the background about a pixel; rim: strength * the share of background about it. The
    foreground's truth changes with it, as such a subject has these colours before any background.
    strength: largest share; width: in pixels of a 512 picture.
    """

    p: float = 0.0
    strength: tuple[float, float] = (0.1, 0.6)
    width: tuple[float, float] = (16.0, 90.0)

    def draw(self, rng: BatchRng, unit: float) -> SpillDraw:
        """Draw three columns; unit = size / 512."""
        on, strength = rng.chance(self.p), rng.uniform(*self.strength)
        return SpillDraw(on, strength, unit * rng.uniform(*self.width))

    def apply(self, x: Tensor, draw: SpillDraw) -> Tensor:
        """Light x[:, 3:6] by x[:, :3] past x[:, 6:7]; (B, 7, H, W) = bgr, fgr, pha in [0, 1]."""
        bgr, fgr, pha = x[:, :3], x[:, 3:6], x[:, 6:]
        behind = 1 - pha
        around = image_ops.box_blur(torch.cat([bgr * behind, behind], 1), draw.width)
        reach = around[:, :3] * draw.strength.to(x.device)[:, None, None, None]
        lit = fgr + reach * (1 - fgr)
        return torch.cat([bgr, lit.clamp(0, 1), pha], 1)
