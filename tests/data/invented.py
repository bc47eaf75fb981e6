"""Sources that a stranger could have written: what a new one costs."""

import numpy as np
from PIL import Image

from bgm.data import BackgroundSource, SubjectSource
from tests.data.folders import disc, noise


class InventedSubjects(SubjectSource):
    def __init__(self, count: int, side: int = 40) -> None:
        self.count, self.side = count, side

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return f"invented {index}"

    def open(self, index: int, short: int | None = None) -> Image.Image:
        rng = np.random.default_rng([7, index])
        picture = Image.fromarray(noise(rng, self.side, self.side))
        picture.putalpha(Image.fromarray(disc(rng, self.side, self.side)))
        return picture


class InventedBackgrounds(BackgroundSource):
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return f"place {index}"

    def open(self, index: int, short: int | None = None) -> Image.Image:
        return Image.fromarray(noise(np.random.default_rng([8, index]), 48, 64))
