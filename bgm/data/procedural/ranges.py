"""What the generator draws from: named ranges of conf/ranges/all.yaml, colours of real scenes."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from omegaconf import OmegaConf

from bgm.errors import BadInput
from bgm.paths import conf_dir

COLOURS = 4  # of a layer, along its field from 0 to 1

SCENERY = np.array([
    (150, 190, 225), (95, 140, 195), (200, 215, 230), (235, 236, 238), (120, 125, 130),
    (60, 62, 66),
    (45, 70, 35), (95, 120, 55), (140, 150, 90), (180, 160, 120), (120, 90, 60), (75, 55, 40),
    (160, 85, 60), (205, 195, 180), (225, 215, 200), (170, 140, 105), (30, 32, 38), (40, 60, 90),
    (70, 110, 115), (225, 140, 60), (130, 60, 50), (190, 175, 160), (15, 15, 18), (90, 95, 85),
], np.float32) / 255  # fmt: skip
SKIN = np.array([
    (245, 212, 190), (232, 184, 152), (204, 150, 115), (160, 108, 78), (110, 72, 52), (64, 42, 34),
], np.float32) / 255  # fmt: skip
HAIR = np.array([
    (18, 15, 14), (40, 28, 22), (75, 50, 34), (120, 84, 52), (190, 150, 95), (225, 200, 150),
    (130, 62, 35), (150, 148, 146), (225, 224, 222), (90, 60, 110),
], np.float32) / 255  # fmt: skip
CLOTH = np.array([
    (14, 14, 16), (28, 28, 32), (50, 52, 58), (240, 240, 238), (225, 222, 215), (128, 128, 130),
    (40, 55, 90), (80, 110, 150), (25, 35, 60), (170, 30, 40), (200, 150, 40), (40, 100, 70),
    (190, 120, 140), (120, 70, 130), (190, 165, 130), (100, 75, 55), (230, 110, 40), (90, 95, 60),
], np.float32) / 255  # fmt: skip
COAT = np.array([
    (190, 140, 85), (150, 100, 60), (95, 65, 45), (225, 205, 175), (240, 236, 230), (60, 52, 48),
    (25, 23, 22), (125, 115, 105), (170, 160, 150), (200, 110, 55), (110, 95, 75),
], np.float32) / 255  # fmt: skip


def draw_palette(rng: Generator, anchors: np.ndarray, contrast: float) -> np.ndarray:
    """Draw (COLOURS, 3) in [0, 1]: shades of one anchor; other anchors at high contrast."""
    pick = anchors[rng.integers(len(anchors), size=COLOURS)]
    if rng.random() < 0.1:  # anything under any light
        pick[0] = rng.random(3) * rng.uniform(0.4, 1) + rng.uniform(0, 0.3)
    other = (rng.random((COLOURS, 1)) < 0.6 * contrast) * rng.uniform(0.2, 1, (COLOURS, 1))
    other[0] = 0
    base = pick[0] * (1 - other) + pick * other
    spread = 0.02 + 0.5 * contrast * contrast
    shade = 1 + rng.uniform(-1, 1, (COLOURS, 1)) * spread
    colours = base * shade + rng.normal(0, 0.04, (COLOURS, 3)) * (0.3 + contrast)
    return np.clip(colours, 0, 1).astype(np.float32)


class Ranges:
    """What `Procedural` draws from; pairs are uniform (low, high), other numbers probabilities.

    conf/ranges/all.yaml says what each of them is, and what it is where it is not given here.
    Raises BadInput for a name that is not there.
    """

    def __init__(self, **given: float | Sequence[float]) -> None:
        if strange := given.keys() - defaults().keys():
            raise BadInput(f"ranges/all.yaml has no {', '.join(sorted(strange))}")
        vars(self).update({name: _plain(x) for name, x in (defaults() | given).items()})

    def __getattr__(self, name: str) -> Any:  # for type checkers; only called for what is not there
        raise AttributeError(f"ranges/all.yaml has no {name}")


@cache
def defaults() -> dict[str, Any]:
    """All ranges by name, without the words that are Hydra's."""
    config: Any = OmegaConf.to_container(OmegaConf.load(Path(conf_dir(), "ranges", "all.yaml")))
    return {name: x for name, x in config.items() if not name.startswith("_")}


def _plain(x: float | Sequence[float]) -> float | tuple[float, ...]:
    return tuple(x) if isinstance(x, Sequence) else x
