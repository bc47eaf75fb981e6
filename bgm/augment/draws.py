"""Everything that is random about an augmented batch."""

from typing import Any, NamedTuple

from torch import Tensor

from bgm.augment.cast import CastDraw
from bgm.augment.geometry import AffineDraw
from bgm.augment.ground import ContactDraw, MirrorDraw
from bgm.augment.photometry import ColourDraw, ExposureDraw, NoiseDraw, Strength
from bgm.augment.rng import take_rows
from bgm.augment.shadow import ShadowDraw
from bgm.augment.spill import SpillDraw


class Draws(NamedTuple):
    """Every random choice for a batch, CPU tensors: keep it and `Augment.replay` repeats it."""

    crop: Tensor  # (2,) int64 H, W; the only choice that a batch shares
    fgr_affine: AffineDraw
    fgr_blur: Strength
    fgr_sharpen: Strength
    fgr_jitter: ColourDraw
    bgr_affine: AffineDraw
    bgr_blur: Strength
    bgr_sharpen: Strength
    bgr_jitter: ColourDraw
    shadow: ShadowDraw
    src_noise: NoiseDraw
    plate_noise: NoiseDraw
    plate_jitter: ColourDraw
    plate_affine: AffineDraw
    plate_shift: AffineDraw
    plate_exposure: ExposureDraw
    plate_blur: Strength
    src_jpeg: Strength
    plate_jpeg: Strength
    spill: SpillDraw
    reflection: MirrorDraw
    contact: ContactDraw
    cast: CastDraw

    def rows(self, rows: slice) -> "Draws":
        """The choices for these samples of the batch."""
        draws: Any = (take_rows(draw, rows) for draw in self[1:])
        return Draws(self.crop, *draws)
