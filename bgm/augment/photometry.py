"""Blur, sharpening, colour, exposure, noise and compression: what to draw and how to apply it."""

from dataclasses import dataclass

import kornia
from torch import Tensor

from bgm.augment import image_ops
from bgm.augment.rng import BatchRng, Draw, Ingredient
from bgm.errors import BadInput


@dataclass(frozen=True)
class Blur(Ingredient):
    """Box blur of a radius uniform in 0..radius pixels of a 512 picture (Pillow's BoxBlur)."""

    radius: float = 0.0

    def draw(self, rng: BatchRng, unit: float) -> Draw:
        """Draw box widths in pixels."""
        return {"on": rng.chance(self.p), "width": 1 + 2 * unit * rng.uniform(0, self.radius)}

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Blur; alpha and colours together, premultiplied."""
        return image_ops.box_blur(x, draw["width"])


@dataclass(frozen=True)
class Sharpen(Ingredient):
    """Sharpen by kornia's sharpness factor; 2.625 is Pillow's SHARPEN kernel."""

    factor: tuple[float, float] = (2.625, 2.625)

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Sharpen; the result is not clamped."""
        return image_ops.sharpen(x, draw["factor"])


@dataclass(frozen=True)
class ColourJitter(Ingredient):
    """torchvision's ColorJitter with kornia's operations, in a fixed order.

    brightness, contrast, saturation: factor uniform in 1 +- value; hue: +- value of a turn.
    """

    SHARES = ("brightness", "contrast", "saturation")  # beyond 1 a factor would be negative

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def draw(self, rng: BatchRng, unit: float) -> Draw:
        """Draw factors, 1 for no change, and a part of a turn."""
        draw = {"on": rng.chance(self.p)}
        for name in ("brightness", "contrast", "saturation"):
            most = getattr(self, name)
            draw[name] = rng.uniform(1 - most, 1 + most)
        return draw | {"hue": rng.uniform(-self.hue, self.hue)}

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Change brightness, contrast, saturation, hue, one after the other."""
        x = image_ops.jitter(x, draw["brightness"], draw["contrast"], draw["saturation"])
        return image_ops.shift_hue(x, draw["hue"]).clamp(0.0, 1.0)


@dataclass(frozen=True)
class ExposureJitter(Ingredient):
    """gain * x ** gamma, both log-uniform in 1/value..value: a camera that metered anew."""

    gain: float = 1.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.gain > 0 and self.gamma > 0):
            raise BadInput(f"exposure has gain {self.gain}, gamma {self.gamma}, expected above 0")

    def draw(self, rng: BatchRng, unit: float) -> Draw:
        """Draw gain and gamma."""
        on = rng.chance(self.p)
        gain, gamma = (top ** rng.uniform(-1, 1) for top in (self.gain, self.gamma))
        return {"on": on, "gain": gain, "gamma": gamma}

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Expose."""
        return kornia.enhance.adjust_gamma(x, draw["gamma"], draw["gain"])


@dataclass(frozen=True)
class Noise(Ingredient):
    """Gaussian noise of std * u ** power, u uniform in 0..1; power 0.5: uniform variance."""

    std: float = 0.0
    power: float = 1.0

    def draw(self, rng: BatchRng, unit: float) -> Draw:
        """Draw whether, and one picture's grain."""
        return {"on": rng.chance(self.p), **self.grain(rng)}

    def grain(self, rng: BatchRng) -> Draw:
        """Draw the strength and the stream (int64) of the noise in one picture."""
        return {"std": self.std * rng.uniform(0, 1) ** self.power, "seed": rng.integers(0, 2**48)}

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Add the noise, clamped to [0, 1]."""
        return image_ops.noise(x, draw["std"], draw["seed"])


@dataclass(frozen=True)
class Jpeg(Ingredient):
    """JPEG's blocks and colour loss at a quality of 1 to 100, by kornia."""

    quality: tuple[float, float] = (50.0, 95.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.quality[0] <= self.quality[1] <= 100:
            raise BadInput(f"JPEG has quality {list(self.quality)}, expected a range in 1 to 100")

    def apply(self, x: Tensor, draw: Draw) -> Tensor:
        """Compress and expand colours."""
        quality = draw["quality"].to(x.device)
        return kornia.enhance.jpeg_codec_differentiable(x, quality).clamp(0.0, 1.0)
