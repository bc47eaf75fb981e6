"""How a plate differs from its shot's background in Lin et al. 2021, appendix D.2."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bgm.errors import BadInput


def hash_key(*parts: int | str) -> int:
    """A 128-bit number that is a function of its parts: SHA-256 of their names, 16 bytes of it."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def random_integer(low: int, high: int, *parts: int | str) -> int:
    """An integer in low..high, both included; high - low far below 2**64, so that no bias shows."""
    return low + (hash_key(*parts) * (high - low + 1) >> 128)


def shuffled_numbers(n: int, *parts: int | str) -> list[int]:
    """The numbers 0 .. n - 1 in random order (Fisher and Yates, from the end)."""
    order = list(range(n))
    for last in range(n - 1, 0, -1):
        other = random_integer(0, last, *parts, last)
        order[last], order[other] = order[other], order[last]
    return order


def random_words(stream: int, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Uniform 16-bit numbers: Philox4x64-10 with key `stream` (< 2**128), low words first.

    numpy promises the raw integers of its bit generators for all versions and machines, which it
    does not for floats and for distributions. Source: Salmon et al. 2011.
    """
    n = int(np.prod(shape))
    raw = np.random.Philox(key=stream).random_raw(-(-n // 4))
    parts = [(raw >> np.uint64(shift)).astype(np.uint16) for shift in (0, 16, 32, 48)]
    return np.stack(parts, axis=1).reshape(-1)[:n].reshape(shape)


SUB = 256  # parts of a pixel in which shifts are counted
FINE = 16  # steps of a level (1/255) that the exposure curve tells apart
UNIT = 256  # parts of a level in which the curve's result and the noise are counted
SIGMA = 4096  # parts of a standard deviation in the table of the normal distribution
MICRO = 1_000_000  # parts of the full scale in which noise is given


class PlateDifference(NamedTuple):
    """How one plate differs from the background of its shot; numbers as a manifest holds them."""

    shift: tuple[float, float]  # pixels right, pixels down; multiples of 1/256
    gamma: float  # plate = background ** gamma; up to 6 decimals
    noise_mean: float  # of the full scale; up to 6 decimals
    noise_std: float  # of the full scale; up to 6 decimals
    noise_key: int  # stream of the grain, < 2**52


def check_plate(plate: PlateDifference, where: str) -> None:
    """Raise BadInput for numbers that no plate has: they would overflow, or mean nothing."""
    ranges = {
        "shift": (max(map(abs, plate.shift)), 0, 1000),
        "gamma": (plate.gamma, 0.01, 100),
        "noise_mean": (plate.noise_mean, -1, 1),
        "noise_std": (plate.noise_std, 0, 1),
        "noise_key": (plate.noise_key, 0, 2**128 - 1),
    }
    for what, (value, low, high) in ranges.items():
        if not (math.isfinite(value) and low <= value <= high):
            raise BadInput(f"{what} of {where} is {value}, expected {low} to {high}")


@dataclass(frozen=True)
class PlatePerturbation:
    """Ranges from which a plate's perturbation is drawn, uniformly.

    shift: +- pixels, each way. gamma: from, to. noise_mean: +- share of the full scale.
    noise_variance: from, to, of a full scale of 1. The paper prints "0.08 <= sigma^2 <= 0.15"
    without a unit: as variances of [0, 1] these would bury the plate (deviation 0.28-0.39), as
    variances of 8-bit levels nobody could see them. The default reads them as deviations of
    0.008-0.015, 2 to 4 levels, which is what cameras have.
    """

    shift: float = 0.3
    gamma: Sequence[float] = (0.85, 1.15)
    noise_mean: float = 0.02
    noise_variance: Sequence[float] = (0.008**2, 0.015**2)

    def __post_init__(self) -> None:
        """Raise BadInput for ranges that hold nothing, by their ends."""
        for gamma, variance in zip(self.gamma, self.noise_variance, strict=True):
            ends = (self.shift, self.shift), float(gamma), self.noise_mean, math.sqrt(variance)
            check_plate(PlateDifference(*ends, 0), "a perturbation")
        if self.gamma[0] > self.gamma[1] or self.noise_variance[0] > self.noise_variance[1]:
            raise BadInput(
                f"perturbation has gamma {list(self.gamma)} and noise_variance "
                f"{list(self.noise_variance)}, expected from, to"
            )
        if min(self.shift, self.noise_mean) < 0:
            raise BadInput(
                f"perturbation has shift {self.shift} and noise_mean {self.noise_mean}, expected "
                "0 or more: they count both ways"
            )

    def draw(self, *parts: int | str) -> PlateDifference:
        """The plate of a scene: a function of these ranges and of the parts (seed, name)."""

        def uniform(low: float, high: float, unit: int, what: str) -> int:
            return random_integer(round(low * unit), round(high * unit), *parts, what)

        most = int(self.shift * SUB)
        move = [random_integer(-most, most, *parts, f"shift {axis}") / SUB for axis in "xy"]
        low, high = self.noise_variance
        variance = uniform(low, high, MICRO**2, "variance") / MICRO**2
        darkest, brightest = self.gamma
        return PlateDifference(
            (move[0], move[1]),
            uniform(darkest, brightest, 10_000, "gamma") / 10_000,
            uniform(-self.noise_mean, self.noise_mean, MICRO, "mean") / MICRO,
            round(math.sqrt(variance), 6),  # IEEE 754 fixes sqrt, not pow
            hash_key(*parts, "noise") >> 76,  # 52 bits, which every reader of JSON keeps
        )


def perturb(bgr: NDArray[np.uint8], plate: PlateDifference) -> NDArray[np.uint8]:
    """Shift, expose and add noise to a background (H, W, 3), uint8; rounded once, at the end.

    Integers throughout, so that the bytes are a function of the numbers in `plate` alone.
    """
    dx, dy = (round(move * SUB) for move in plate.shift)
    moved = shift(bgr, dx, dy)  # levels * SUB * SUB
    step = SUB * SUB // FINE
    exposed = exposure_curve(plate.gamma)[(moved + step // 2) // step]
    grain = noise_table(round(plate.noise_mean * MICRO), round(plate.noise_std * MICRO))
    exposed += grain[random_words(plate.noise_key, bgr.shape)]
    return ((exposed + UNIT // 2) // UNIT).clip(0, 255).astype(np.uint8)


def shift(x: NDArray[np.uint8], dx: int, dy: int) -> NDArray[np.int32]:
    """Move (H, W, ...) right by dx and down by dy, in 1/SUB pixels; the border is replicated.

    Bilinear, exact: returns values times SUB * SUB.
    """
    out = x.astype(np.int32)
    for axis, move in ((0, dy), (1, dx)):
        whole, part = divmod(move, SUB)
        n = x.shape[axis]
        here, before = (np.clip(np.arange(n) - whole - back, 0, n - 1) for back in (0, 1))
        out = np.take(out, here, axis) * (SUB - part) + np.take(out, before, axis) * part
    return out


@lru_cache(maxsize=8)
def exposure_curve(gamma: float) -> NDArray[np.int32]:
    """x ** gamma on a full scale of 255 * FINE steps, in 1/UNIT levels."""
    share = np.arange(255 * FINE + 1) / (255 * FINE)
    return np.rint(share**gamma * 255 * UNIT).astype(np.int32)


@lru_cache(maxsize=8)
def noise_table(mean: int, std: int) -> NDArray[np.int32]:
    """Gaussian noise in 1/UNIT levels for each 16-bit number; mean, std in 1/MICRO of full scale.

    The middle quantile of each of 65536 equal shares, so up to +-4.3 standard deviations.
    """
    scaled = normal_quantiles() * std + mean * SIGMA  # 1 / (SIGMA * MICRO) of the full scale
    whole = SIGMA * MICRO
    return ((2 * scaled * 255 * UNIT + whole) // (2 * whole)).astype(np.int32)


@lru_cache(maxsize=1)
def normal_quantiles() -> NDArray[np.int64]:
    """Quantiles (k + 1/2) / 65536 of the standard normal distribution, in 1/SIGMA.

    None lies nearer than 1e-5 to where rounding tips: a logarithm's last bits do not matter.
    """
    quantile = NormalDist().inv_cdf
    return np.array([round(quantile((k + 0.5) / 65536) * SIGMA) for k in range(65536)], np.int64)
