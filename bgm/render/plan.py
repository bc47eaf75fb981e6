"""What is in each picture, decided before any body is made: seeded streams, plain data."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Palette = Sequence[Sequence[float]]  # sRGB colours in [0, 1]


class Stream:
    """Random draws of one component of one picture, the same wherever they are made.

    seed: of the whole run; index: of the picture; name: of the component. What one component draws
    never moves another's draws, so a change to the hair leaves the clothes as they were. Whoever
    overrides a value draws it all the same. palette: colours of a place, which things wear.
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


BOTH_HANDS = ("box", "ball")
POSE_OF_HELD = {"phone": "phone", "bottle": "hold", "cup": "hold", "umbrella": "umbrella"}


def plan(seed: int, index: int, ranges: Mapping[str, Any], forced: Mapping[str, Any]) -> dict:
    """The plan of picture number index.

    ranges: conf/ranges/rendered.yaml. forced: values that replace drawn ones (kind, shot, pose,
    held, sex); a draw that is replaced is made all the same. Returns kind ("person", "pair" or
    "animal"), shot, and people: a list of sex (0 male .. 1 female), pose and held.
    """
    draw = Stream(seed, index, "plan")
    kind = draw.choose(ranges["kinds"])
    shot = draw.choose(ranges["shots"])
    kind, shot = forced.get("kind", kind), forced.get("shot", shot)
    people = [person(seed, index, number, ranges, forced) for number in range(2)]
    count = {"person": 1, "pair": 2}.get(kind, 0)
    return {"seed": seed, "index": index, "kind": kind, "shot": shot, "people": people[:count]}


def person(seed: int, index: int, number: int, ranges: Mapping, forced: Mapping) -> dict:
    """One person's sex, pose, and what the hands hold."""
    draw = Stream(seed, index, f"person{number}")
    sex = "female" if draw.chance(0.5) else "male"
    pose = draw.choose(ranges["poses"])
    held = draw.choose(ranges["held"])
    sex, held = forced.get("sex", sex), forced.get("held", held)
    if held != "nothing":
        pose = POSE_OF_HELD.get(held, "carry" if held in BOTH_HANDS else "hold")
    return {"number": number, "sex": sex, "pose": forced.get("pose", pose), "held": held}
