"""Turn collated Samples into Batches on the device: geometry, colour, light, composing, noise."""

from bgm.augment.cast import CastShadow
from bgm.augment.geometry import Affine
from bgm.augment.ground import ContactShadow, Reflection
from bgm.augment.photometry import Blur, ColourJitter, ExposureJitter, Jpeg, Noise, Sharpen
from bgm.augment.recipe import Augment, Draws
from bgm.augment.rng import BatchRng
from bgm.augment.shadow import Shadow
from bgm.augment.spill import Spill

__all__ = [
    "Affine",
    "Augment",
    "BatchRng",
    "Blur",
    "CastShadow",
    "ColourJitter",
    "ContactShadow",
    "Draws",
    "ExposureJitter",
    "Jpeg",
    "Noise",
    "Reflection",
    "Shadow",
    "Sharpen",
    "Spill",
]
