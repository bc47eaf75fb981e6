"""Blur, sharpening, colour, exposure, noise and compression: what to draw and how to apply it."""

from dataclasses import dataclass
from typing import NamedTuple

import kornia
from torch import Tensor

from bgm.augment import image_ops
from bgm.augment.rng import BatchRng


class Strength(NamedTuple):
    """One number a sample."""

    on: Tensor  # (B,) bool
    value: Tensor  # (B,)


class ColourDraw(NamedTuple):
    """Factors of `ColourJitter`."""

    on: Tensor  # (B,) bool
    brightness: Tensor  # (B,) 1 = no change
    contrast: Tensor  # (B,) 1 = no change
    saturation: Tensor  # (B,) 1 = no change
    hue: Tensor  # (B,) part of a turn, 0 = no change


class ExposureDraw(NamedTuple):
    """gain * x ** gamma."""

    on: Tensor  # (B,) bool
    gain: Tensor  # (B,)
    gamma: Tensor  # (B,)


class NoiseDraw(NamedTuple):
    """Strength and stream of the noise in one picture."""

    on: Tensor  # (B,) bool
    std: Tensor  # (B,)
    seed: Tensor  # (B,) int64


@dataclass(frozen=True)
class Blur:
    """Box blur of a radius uniform in 0..radius pixels of a 512 picture (Pillow's BoxBlur)."""

    p: float = 0.0
    radius: float = 0.0

    def draw(self, rng: BatchRng, unit: float) -> Strength:
        """Draw box widths in pixels; unit = size / 512."""
        return Strength(rng.chance(self.p), 1 + 2 * unit * rng.uniform(0, self.radius))

    def apply(self, x: Tensor, draw: Strength) -> Tensor:
        """Blur (B, C, H, W); alpha and colours together, premultiplied."""
        return image_ops.box_blur(x, draw.value)


@dataclass(frozen=True)
class Sharpen:
    """Sharpen by kornia's sharpness factor in `factor`; 2.625 is Pillow's SHARPEN kernel."""

    p: float = 0.0
    factor: tuple[float, float] = (2.625, 2.625)

    def draw(self, rng: BatchRng) -> Strength:
        """Draw factors."""
        return Strength(rng.chance(self.p), rng.uniform(*self.factor))

    def apply(self, x: Tensor, draw: Strength) -> Tensor:
        """Sharpen (B, C, H, W); the result is not clamped."""
        return image_ops.sharpen(x, draw.value)


@dataclass(frozen=True)
class ColourJitter:
    """torchvision's ColorJitter with kornia's operations, in a fixed order.

    brightness, contrast, saturation: factor uniform in 1 +- value; hue: +- value of a turn.
    """

    p: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def draw(self, rng: BatchRng) -> ColourDraw:
        """Draw factors."""
        on = rng.chance(self.p)
        around_one = (self.brightness, self.contrast, self.saturation)
        factors = (rng.uniform(1 - value, 1 + value) for value in around_one)
        brightness, contrast, saturation = factors
        hue = rng.uniform(-self.hue, self.hue)
        return ColourDraw(on, brightness, contrast, saturation, hue)

    def apply(self, x: Tensor, draw: ColourDraw) -> Tensor:
        """Change the colours of (B, 3, H, W) in [0, 1]; brightness, contrast, saturation, hue."""
        x = image_ops.jitter(x, draw.brightness, draw.contrast, draw.saturation)
        return image_ops.shift_hue(x, draw.hue).clamp(0.0, 1.0)


@dataclass(frozen=True)
class ExposureJitter:
    """gain * x ** gamma, both log-uniform in 1/value..value: a camera that metered anew."""

    p: float = 0.0
    gain: float = 1.0
    gamma: float = 1.0

    def draw(self, rng: BatchRng) -> ExposureDraw:
        """Draw gain and gamma."""
        on = rng.chance(self.p)
        gain, gamma = (top ** rng.uniform(-1, 1) for top in (self.gain, self.gamma))
        return ExposureDraw(on, gain, gamma)

    def apply(self, x: Tensor, draw: ExposureDraw) -> Tensor:
        """Expose (B, 3, H, W) in [0, 1]."""
        return kornia.enhance.adjust_gamma(x, draw.gamma, draw.gain)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise of std * u ** power, u uniform in 0..1; power 0.5: uniform variance."""

    p: float = 0.0
    std: float = 0.0
    power: float = 1.0

    def draw(self, rng: BatchRng) -> tuple[NoiseDraw, NoiseDraw]:
        """Draw for src and for bgr: noisy together, each with its own strength and grain."""
        on = rng.chance(self.p)
        src, plate = (
            NoiseDraw(on, self.std * rng.uniform(0, 1) ** self.power, rng.integers(0, 2**48))
            for _ in range(2)
        )
        return src, plate

    def apply(self, x: Tensor, draw: NoiseDraw) -> Tensor:
        """Add the noise to (B, C, H, W), clamped to [0, 1]."""
        return image_ops.noise(x, draw.std, draw.seed)


@dataclass(frozen=True)
class Jpeg:
    """JPEG's blocks and colour loss at a quality uniform in `quality` (1-100), by kornia."""

    p: float = 0.0
    quality: tuple[float, float] = (50.0, 95.0)

    def draw(self, rng: BatchRng) -> Strength:
        """Draw qualities."""
        return Strength(rng.chance(self.p), rng.uniform(*self.quality))

    def apply(self, x: Tensor, draw: Strength) -> Tensor:
        """Compress and expand (B, 3, H, W) in [0, 1]."""
        quality = draw.value.to(x.device)
        return kornia.enhance.jpeg_codec_differentiable(x, quality).clamp(0.0, 1.0)
