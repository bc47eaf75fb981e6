"""Where subject and background stand, how sharp they are, and in which colours."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bgm.augment.draws import Draws
from bgm.augment.geometry import Affine, AffineDraw, move
from bgm.augment.image_ops import cover_crop, crop_centre, premultiply, to_float, unpremultiply
from bgm.augment.photometry import Blur, ColourJitter, Sharpen, Strength
from bgm.augment.rng import BatchRng, apply_drawn, take_rows
from bgm.types import Sample


@dataclass(frozen=True)
class Placing:
    """Place subject and background in a square of `size`, each by itself, before composing.

    A subject whose canvas has both sides >= size is taken as delivered at scale 1 (short side ==
    size, padding around it), a smaller one is enlarged until it covers size; a background always
    covers size at scale 1. blur, sharpen and jitter are drawn for each of the two.
    """

    fgr_affine: Affine
    bgr_affine: Affine
    blur: Blur
    sharpen: Sharpen
    jitter: ColourJitter

    def draw(self, rng: BatchRng, unit: float) -> dict[str, Any]:
        """The fields `fgr_*` and `bgr_*` of Draws; unit: pixels that one pixel of 512 is."""
        return {
            "fgr_affine": self.fgr_affine.draw(rng),
            "fgr_blur": self.blur.draw(rng, unit),
            "fgr_sharpen": self.sharpen.draw(rng),
            "fgr_jitter": self.jitter.draw(rng),
            "bgr_affine": self.bgr_affine.draw(rng),
            "bgr_blur": self.blur.draw(rng, unit),
            "bgr_sharpen": self.sharpen.draw(rng),
            "bgr_jitter": self.jitter.draw(rng),
        }

    def subject(self, sample: Sample, d: Draws, size: int) -> tuple[Tensor, Tensor]:
        """fgr (B, 3, h, w) and pha at the crop's size; what averages pixels moves both as one."""
        x = torch.cat([to_float(sample.fgr), to_float(sample.pha)], dim=1)
        factor = max(1.0, size / min(x.shape[-2:]))
        draws = (d.fgr_affine, d.fgr_blur, d.fgr_sharpen)
        on = d.fgr_affine.on | d.fgr_blur.on | d.fgr_sharpen.on | (factor > 1)
        if on.all():
            x = self._average(x, size, factor, *draws)
        else:  # the rest keeps its colours to the bit, where alpha is 0, too
            rows = on.nonzero().squeeze(1)
            there = rows.to(x.device)
            still = move(x, d.fgr_affine._replace(on=on & False), (size, size), 1.0, "zeros")
            if len(rows):
                some: Any = [take_rows(draw, rows) for draw in draws]
                y = self._average(x.index_select(0, there), size, factor, *some)
                still = still.index_copy(0, there, y)
            x = still
        fgr, pha = apply_drawn(x[:, :3], d.fgr_jitter, self.jitter.apply), x[:, 3:]
        crop = tuple(d.crop.tolist())
        if max(crop) == size:
            return crop_centre(fgr, crop), crop_centre(pha, crop)
        x = unpremultiply(cover_crop(premultiply(torch.cat([fgr, pha], dim=1)), crop))
        return x[:, :3], x[:, 3:]

    def _average(
        self,
        x: Tensor,
        size: int,
        factor: float,
        affine: AffineDraw,
        blur: Strength,
        sharpen: Strength,
    ) -> Tensor:
        """Move, blur and sharpen fgr and pha (B, 4, h, w) premultiplied: (B, 4, size, size)."""
        x = move(premultiply(x), affine, (size, size), factor, "zeros")
        x = apply_drawn(x, blur, self.blur.apply)
        return unpremultiply(apply_drawn(x, sharpen, self.sharpen.apply))

    def background(self, sample: Sample, d: Draws, size: int) -> Tensor:
        """bgr (B, 3, h, w) at the crop's size; what an affine map leaves empty is mirrored."""
        x = to_float(sample.bgr)
        factor = size / min(x.shape[-2:])
        x = move(x, d.bgr_affine, (size, size), factor, "reflection")
        x = apply_drawn(x, d.bgr_blur, self.blur.apply)
        x = apply_drawn(x, d.bgr_sharpen, self.sharpen.apply).clamp(0.0, 1.0)
        x = apply_drawn(x, d.bgr_jitter, self.jitter.apply)
        return cover_crop(x, tuple(d.crop.tolist()))
