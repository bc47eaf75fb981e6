"""Small finished scenes and predictions of them, for the tests of scoring."""

from pathlib import Path

import numpy as np
import torch

from bgm.data.scenes import write_scenes
from bgm.pictures import write_png
from bgm.types import Batch

SIZE = (22, 31)  # no multiples of 4


def truth(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A soft disc, somewhere, (H, W) in 0..255."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    where = rng.uniform(0.3, 0.7, 2) * size
    soft = np.clip((7 - np.hypot(y - where[0], x - where[1])) / 3 + 0.5, 0, 1)
    return np.rint(soft * 255).astype(np.uint8)


def write(root: Path, names: list[str]) -> Path:
    """src/ bgr/ pha/ fgr/ of some scenes, and pred/ with what a mediocre tool made of them."""
    scenes = []
    for seed, name in enumerate(names):
        rng = np.random.default_rng(seed + 100)
        pha = torch.from_numpy(truth(seed))[None] / 255
        colours = torch.from_numpy(rng.integers(0, 256, (9, *SIZE))).float() / 255
        scenes.append(Batch(colours[:3], colours[3:6], pha, colours[6:], torch.tensor(True)))
        pred = np.clip(truth(seed) + rng.normal(0, 20, SIZE), 0, 255).astype(np.uint8)
        write_png(root / "pred" / f"{name}.png", torch.from_numpy(pred)[None])
    write_scenes(root / "scenes", scenes, names)
    return root / "scenes"
