"""Seeded random streams: every component of a picture draws from one of its own."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

Palette = Sequence[Sequence[float]]  # sRGB colours in [0, 1]


class Stream:
    """Random draws of one component of one picture, the same wherever they are made.

    seed: of the whole run; index: of the picture; name: of the component. What one component draws
    never moves another's draws, so a change to the hair leaves the clothes as they were. Whoever
    overrides a value draws it first and then puts the override in its place. palette: colours of a
    place, which things are to wear.
    """

    def __init__(self, seed: int, index: int, name: str, palette: Palette = ()) -> None:
        self.seed, self.index, self.name, self.palette = seed, index, name, palette
        self.rng = np.random.default_rng([seed, index, zlib.crc32(name.encode())])

    def of(self, name: str) -> "Stream":
        """The stream of a part of this component."""
        return Stream(self.seed, self.index, f"{self.name} {name}", self.palette)

    def uniform(self, bounds: Sequence[float]) -> float:
        """A number between bounds = (low, high)."""
        low, high = bounds
        return float(self.rng.uniform(low, high))

    def uniform3(self, bounds: Sequence[float]) -> tuple[float, float, float]:
        """Three numbers between the same bounds: the sides of a box."""
        return self.uniform(bounds), self.uniform(bounds), self.uniform(bounds)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def choose(self, weights: Mapping[str, float]) -> str:
        """A key, drawn by its relative weight."""
        keys = list(weights)
        shares = np.array([weights[key] for key in keys], float)
        return keys[int(self.rng.choice(len(keys), p=shares / shares.sum()))]

    def normal(self, spread: float = 1.0) -> float:
        """A normal deviate around zero."""
        return float(self.rng.normal(0.0, spread))

    def sign(self) -> int:
        """-1 or 1."""
        return int(self.rng.integers(2)) * 2 - 1
