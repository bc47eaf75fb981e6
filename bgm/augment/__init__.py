"""Turn collated Samples into Batches on the device: geometry, colour, shadow, composing, noise."""

from bgm.augment.dice import Dice
from bgm.augment.geometry import Affine
from bgm.augment.photometry import Blur, ColourJitter, Exposure, Jpeg, Noise, Sharpen
from bgm.augment.pipeline import Augment, Draws
from bgm.augment.shadow import Shadow

__all__ = [
    "Affine",
    "Augment",
    "Blur",
    "ColourJitter",
    "Dice",
    "Draws",
    "Exposure",
    "Jpeg",
    "Noise",
    "Shadow",
    "Sharpen",
]
