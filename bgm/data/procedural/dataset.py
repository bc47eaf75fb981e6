"""The procedural dataset: subjects, mattes and backgrounds out of a seed, made in batches."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bgm.data.procedural import bodies, fields
from bgm.data.procedural.noise import octaves
from bgm.data.procedural.ranges import Ranges, defaults
from bgm.data.procedural.rasterise import render
from bgm.data.procedural.scene_draws import PLANES, draw_motion, draw_scene
from bgm.errors import BadInput, check_at_least
from bgm.pictures import to_uint8
from bgm.types import Sample

SALT = 0x9A77E  # keeps these draws apart from those of other users of (seed, draw)
MOTION = 1  # and this the subject's motion, which came later, from all that was drawn before
SMALLEST = 16  # pixels a side
CHUNK = 1 << 18  # pixels rendered at once: what keeps a CPU's caches busy, not the results


def check_ranges(ranges: Ranges) -> None:
    """Raise BadInput unless probabilities lie in 0 to 1, pairs have an order, weights a sum."""
    for name, usual in defaults().items():
        given, several = getattr(ranges, name), isinstance(usual, list)
        weight = name in bodies.KINDS or name in fields.KINDS
        numbers = list(given) if isinstance(given, tuple | list) else [given]
        fits = len(numbers) == 1 + several and isinstance(given, tuple | list) == several
        fits &= all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
        fits = fits and numbers == sorted(numbers)
        if not several:
            fits = fits and 0 <= numbers[0] <= (np.inf if weight else 1)
        if not fits:
            what = "[low, high]" if several else "0 or more" if weight else "0 to 1"
            raise BadInput(f"ranges.{name} is {given}, expected {what}")
    for kinds in (bodies.KINDS, fields.KINDS):
        if not sum(getattr(ranges, name) for name in kinds) > 0:
            raise BadInput(f"ranges has {' and '.join(kinds)} 0, expected one above")


class Procedural(Dataset[Sample]):
    """Endless invented subjects over invented backgrounds, a pure function of (seed, draw).

    size: side or (H, W) in pixels, at least 16; length: samples an epoch; ranges: what is drawn.
    `dataset[draw]` is a Sample of uint8 pha (1,H,W), fgr and bgr (3,H,W); fgr is valid everywhere.
    `dataset.__getitems__(draws)` makes a batch at once, bit for bit the same samples.
    Raises BadInput for a size or length too small, and for ranges that are none.
    """

    def __init__(
        self, size: int | tuple[int, int], length: int, seed: int, ranges: Ranges | None = None
    ) -> None:
        H, W = (size, size) if isinstance(size, int) else size
        check_at_least("procedural", SMALLEST, height=H, width=W)
        check_at_least("procedural", 1, length=length)
        check_at_least("procedural", 0, seed=seed)
        self.size, self.length, self.seed = (int(H), int(W)), length, seed
        self.ranges = Ranges() if ranges is None else ranges
        check_ranges(self.ranges)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, draw: int) -> Sample:
        if draw < 0:
            raise IndexError(f"draw {draw} is negative")
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: list[int]) -> list[Sample]:
        """Make the samples of these draw numbers (epoch * len + index)."""
        H, W = self.size
        at_once = max(1, CHUNK // (H * W))
        samples = []
        for first in range(0, len(draws), at_once):
            samples += self._render(draws[first : first + at_once])
        return samples

    def _render(self, draws: list[int]) -> list[Sample]:
        H, W = self.size
        extent = (H / min(H, W), W / min(H, W))
        levels = octaves(self.size)
        scenes, noises = [], []
        for draw in draws:
            words = [self.seed, draw, SALT]
            rng = np.random.default_rng(np.random.SeedSequence(words))
            moving = np.random.default_rng(np.random.SeedSequence([*words, MOTION]))
            scene = draw_scene(rng, extent, self.ranges) | draw_motion(moving, self.ranges)
            scenes.append(scene)
            noises.append(rng.random(PLANES * sum(h * w for h, w in levels), np.float32) - 0.5)
        strands = [scene.pop("strands") for scene in scenes]
        stacked = {
            key: torch.from_numpy(np.stack([scene[key] for scene in scenes])) for key in scenes[0]
        }
        stacked["strands"] = torch.from_numpy(np.concatenate(strands))
        counts = torch.tensor([len(strand) for strand in strands])
        stacked["strand_sample"] = torch.repeat_interleave(torch.arange(len(draws)), counts)
        pha, fgr, bgr = render(stacked, _pyramid(noises, levels))
        rows = zip(to_uint8(pha), to_uint8(fgr), to_uint8(bgr), draws, strict=True)
        return [Sample(p, f, b, torch.tensor(True), torch.tensor(draw)) for p, f, b, draw in rows]


def _pyramid(noises: list[np.ndarray], levels: list[tuple[int, int]]) -> list[Tensor]:
    """Cut flat noise vectors into (B, PLANES, h, w) a level."""
    flat = torch.from_numpy(np.stack(noises))
    parts = flat.split([PLANES * h * w for h, w in levels], 1)
    return [part.reshape(-1, PLANES, h, w) for part, (h, w) in zip(parts, levels, strict=True)]
