"""Turn collated Samples into Batches on the device: geometry, colour, light, composing, noise."""

from bgm.extras import extra_named

with extra_named():
    from bgm.augment.geometry import Affine, Parallax
    from bgm.augment.light import CastShadow, ContactShadow, Reflection, Shadow, Spill
    from bgm.augment.outline import Fringe, SoftOutline
    from bgm.augment.photometry import Blur, ColourJitter, ExposureJitter, Jpeg, Noise, Sharpen
    from bgm.augment.recipe import Augment, Draws
    from bgm.augment.rng import BatchRng, Ingredient

__all__ = ["Affine", "Augment", "BatchRng", "Blur", "CastShadow", "ColourJitter", "ContactShadow"]
__all__ += [
    "Draws",
    "ExposureJitter",
    "Fringe",
    "Ingredient",
    "Jpeg",
    "Noise",
    "Parallax",
    "Reflection",
]
__all__ += ["Shadow", "Sharpen", "SoftOutline", "Spill"]
