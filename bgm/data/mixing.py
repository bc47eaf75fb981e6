"""Samples of several datasets and sources in one: old and new, pooled, photographs among drawn."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import Dataset

from bgm.data.interfaces import BackgroundSource, SubjectSource, get_samples
from bgm.errors import BadInput, check_at_least
from bgm.types import Sample

COLOURS = 4  # clothes, hair, skin, and one more
PIXELS = 400  # of the subject, looked at to find them
ROUNDS = 4
WIDTH = 0.09  # how far colours reach into each other, in units of the picture
PATCH = 8  # a colour of the place is the mean of a square of an eighth of its side
INSIDE = 127  # alpha above which a pixel's colour is the subject's
SHADING = 0.6  # share of its own light and folds that a subject in the place's pattern keeps


def recoloured(
    fgr: Tensor,
    pha: Tensor,
    place: Tensor,
    rng: Generator,
    share: float = 0.6,
    pattern: float = 0.25,
) -> Tensor:
    """fgr (3, H, W) uint8 with some of its colours exchanged for those of place (3, h, w) uint8.

    The colours of the subject (pha (1, H, W) uint8) fall into COLOURS groups, softly. Each with
    probability share moves to the mean colour of some square of the place, or, with probability
    pattern of these, takes the place's pattern under the subject's own shading.
    """
    inside = np.flatnonzero(pha[0].numpy() > INSIDE)
    if len(inside) < COLOURS:
        return fgr
    colours = fgr.numpy().reshape(3, -1).T.astype(np.float32) / 255  # (N, 3)
    centres = grouped(colours[rng.choice(inside, PIXELS)], rng)
    H, W = fgr.shape[1:]
    field = fitted(place.numpy(), H, W).reshape(3, -1).T.astype(np.float32) / 255
    closeness = -np.square(colours[:, None] - centres).sum(2) / (2 * WIDTH**2)  # (N, COLOURS)
    weight = np.exp(closeness - closeness.max(1, keepdims=True))
    weight /= weight.sum(1, keepdims=True)
    change = np.zeros_like(colours)
    for group, centre in enumerate(centres):
        moved, patterned = rng.random() < share, rng.random() < pattern
        target = square_mean(place.numpy(), rng) * rng.uniform(0.85, 1.15)
        if moved and patterned:
            to = field + SHADING * (colours - centre) - colours
            change += weight[:, group, None] * to
        elif moved:
            change += weight[:, group, None] * (target - centre)
    out = np.rint(255 * (colours + change).clip(0, 1)).astype(np.uint8)
    return torch.from_numpy(np.ascontiguousarray(out.T.reshape(3, H, W)))


def grouped(colours: np.ndarray, rng: Generator) -> np.ndarray:
    """(COLOURS, 3): the middles of groups of colours (n, 3), by Lloyd's algorithm."""
    centres = colours[rng.choice(len(colours), COLOURS, replace=False)]
    for _ in range(ROUNDS):
        nearest = np.square(colours[:, None] - centres).sum(2).argmin(1)
        centres = np.stack(
            [
                colours[nearest == k].mean(0) if (nearest == k).any() else centres[k]
                for k in range(COLOURS)
            ]
        )
    return centres


def square_mean(place: np.ndarray, rng: Generator) -> np.ndarray:
    """(3,) in [0, 1]: the mean colour of a square somewhere in a place (3, h, w) uint8."""
    h, w = place.shape[1:]
    side = max(1, min(h, w) // PATCH)
    y, x = int(rng.integers(h - side + 1)), int(rng.integers(w - side + 1))
    return place[:, y : y + side, x : x + side].mean((1, 2), dtype=np.float32) / 255


def fitted(place: np.ndarray, height: int, width: int) -> np.ndarray:
    """A place (3, h, w) repeated, mirrored, or cut to (3, height, width), at its own scale."""
    h, w = place.shape[1:]
    pad = [(0, 0), (0, max(0, height - h)), (0, max(0, width - w))]
    return np.pad(place, pad, mode="symmetric")[:, :height, :width]


# These keep choices apart from those of the dataset below, which has the same draws.
POOL_SALT, MIXED_SALT = 0x9001, 0x5EED5
SizedDataset = Any  # a Dataset[Sample] with a length


class Mixture(Dataset[Sample]):
    """Every item of the new dataset once in an epoch, and so many old ones that they make up share.

    share: of the old ones in an epoch, in [0, 1); the nearest that whole items allow, where share
    is above 0 at least one. The old dataset goes on from epoch to epoch through its own draws. A
    sample is a function of its draw alone if those of both datasets are, and carries that draw.
    Raises BadInput for another share, and for an old dataset that is empty.
    """

    def __init__(self, new: SizedDataset, old: SizedDataset | None, share: float) -> None:
        if not 0 <= share < 1:
            raise BadInput(f"the share of old samples is {share}, expected 0 <= share < 1")
        if share > 0 and (old is None or len(old) == 0):
            raise BadInput(f"a share of {share} old samples needs old data, found none")
        self.new, self.old, self.share = new, old, share
        self.count = max(1, round(len(new) * share / (1 - share))) if share else 0

    def __len__(self) -> int:
        return len(self.new) + self.count

    @property
    def mixed(self) -> dict[str, SizedDataset]:
        """The datasets that are trained on, by what they are here."""
        return {"new": self.new} | ({"old": self.old} if self.count else {})

    def place(self, draw: int) -> tuple[str, int]:
        """Which dataset a draw comes from, and which draw of that one it is."""
        epoch, index = divmod(draw, len(self))
        if index < len(self.new):
            return "new", epoch * len(self.new) + index
        return "old", epoch * self.count + index - len(self.new)

    def __getitem__(self, draw: int) -> Sample:
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: list[int]) -> list[Sample]:
        """The samples of these draws; each dataset makes its own in one go where it can."""
        places = [self.place(draw) for draw in draws]
        made: dict[tuple[str, int], Sample] = {}
        for name, dataset in self.mixed.items():
            wanted = [place for place in places if place[0] == name]
            samples = get_samples(dataset, [number for _, number in wanted])
            made |= dict(zip(wanted, samples, strict=True))
        # Its own number here: augmentation is drawn from it, and both datasets count from 0.
        return [
            made[place]._replace(draw=torch.tensor(draw))
            for place, draw in zip(places, draws, strict=True)
        ]


class Pool(Dataset[Sample]):
    """The first `size` samples of a dataset, each subject before its own or another's background.

    own: probability that a subject keeps the background it was made with, whose colours it may
    wear. length: samples an epoch. A sample is a pure function of (seed, draw) if the dataset's
    are. Made on first use and kept in memory, size * (7 bytes * H * W) in each worker.
    Raises BadInput for size or length below 1, and for an own that is no probability.
    """

    def __init__(
        self, dataset: Dataset[Sample], size: int, length: int, seed: int, own: float = 0.3
    ) -> None:
        check_at_least("a pool", 1, size=size, length=length)
        if not 0 <= own <= 1:
            raise BadInput(f"a pool has own {own}, expected 0..1")
        self.dataset, self.size, self.length = dataset, size, length
        self.seed, self.own = seed, own
        self._made: dict[int, Sample] = {}

    def __len__(self) -> int:
        return self.length

    def pair(self, draw: int) -> tuple[int, int]:
        """Which subject and which background of the pool a draw brings together."""
        rng = np.random.default_rng([POOL_SALT, self.seed, draw])
        subject, other = (int(n) for n in rng.integers(self.size, size=2))
        return subject, subject if rng.random() < self.own else other

    def __getitem__(self, draw: int) -> Sample:
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: list[int]) -> list[Sample]:
        """The samples of these draw numbers; what the pool lacks is made in one batch."""
        pairs = [self.pair(draw) for draw in draws]
        wanted = sorted({n for pair in pairs for n in pair} - self._made.keys())
        self._made.update(zip(wanted, get_samples(self.dataset, wanted), strict=True))
        return [
            self._made[subject]._replace(bgr=self._made[bgr].bgr, draw=torch.tensor(draw))
            for draw, (subject, bgr) in zip(draws, pairs, strict=True)
        ]


class Choices(NamedTuple):
    """What of a sample is exchanged, and the generator for the rest of its choices."""

    place: bool
    subject: bool
    recolour: bool
    texture: bool
    which: tuple[float, ...]  # subject, place and pattern, as shares of their lists
    rng: np.random.Generator


class MixedSources(Dataset[Sample]):
    """Samples of a dataset, in a share of them another place, in a share another subject.

    backgrounds, subjects: pictures from files (null: none of them), brought to size, that of the
    dataset's pictures. background_share, subject_share: probabilities, independent of each other.
    recolour: how often a sample of which one or the other was exchanged has the subject's colours
    drawn towards those of its place, so that such subjects do not become rare. texture: how often
    an exchanged place's fellow lends its pattern to the subject instead.
    A sample is a function of (seed, draw), and has the dataset's length.
    Raises BadInput for a share that is no probability, or that has no pictures.
    """

    def __init__(
        self,
        dataset: Dataset[Sample],
        size: int,
        seed: int,
        *,
        backgrounds: BackgroundSource | None = None,
        background_share: float = 0.0,
        subjects: SubjectSource | None = None,
        subject_share: float = 0.0,
        recolour: float = 0.0,
        texture: float = 0.0,
    ) -> None:
        shares = {
            "background_share": (background_share, backgrounds),
            "subject_share": (subject_share, subjects),
            "recolour": (recolour, self),
            "texture": (texture, backgrounds),
        }
        for name, (share, needs) in shares.items():
            if not 0 <= share <= 1 or (share and needs is None):
                have = "pictures" if needs is not None else "no pictures"
                raise BadInput(f"{name} is {share} of {have}, expected 0..1, and pictures above 0")
        self.dataset, self.size, self.seed = dataset, size, seed
        self.backgrounds, self.background_share = backgrounds, background_share
        self.subjects, self.subject_share = subjects, subject_share
        self.recolour, self.texture = recolour, texture

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]  # torch's Dataset declares no length

    def __getitem__(self, draw: int) -> Sample:
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: list[int]) -> list[Sample]:
        """The samples of these draws; the dataset makes its own in one go where it can."""
        choices = {draw: self.choose(draw) for draw in draws}
        # Drawing is dear: not for samples of which nothing would be left.
        wanted = [d for d, chosen in choices.items() if not (chosen.place and chosen.subject)]
        drawn = dict(zip(wanted, get_samples(self.dataset, wanted), strict=True))
        return [self.exchanged(drawn.get(draw), choices[draw], draw) for draw in draws]

    def choose(self, draw: int) -> Choices:
        """What a draw exchanges."""
        rng = np.random.default_rng([MIXED_SALT, self.seed, draw])
        shares = (self.background_share, self.subject_share, self.recolour, self.texture)
        place, subject, recolour, texture = (bool(x) for x in rng.random(4) < shares)
        return Choices(place, subject, recolour, texture, tuple(rng.random(3)), rng)

    def exchanged(self, sample: Sample | None, chosen: Choices, draw: int) -> Sample:
        """A sample of the dataset with what its draw exchanges; None where that is all of it."""
        first, second, third = chosen.which
        parts: dict[str, Tensor] = sample._asdict() if sample is not None else {}
        if chosen.subject and self.subjects is not None:
            pha, fgr = self.subjects.read(int(first * len(self.subjects)), self.size)
            parts |= {"pha": pha, "fgr": fgr, "has_fgr": torch.tensor(self.subjects.has_fgr)}
        if chosen.place:
            parts["bgr"] = self.photograph(second)
        if (chosen.place or chosen.subject) and (chosen.texture or chosen.recolour):
            place = self.photograph(third) if chosen.texture else parts["bgr"]
            pattern = {"pattern": 1.0} if chosen.texture else {}
            parts["fgr"] = recoloured(parts["fgr"], parts["pha"], place, chosen.rng, **pattern)
        return Sample(**parts | {"draw": torch.tensor(draw)})

    def photograph(self, at: float) -> Tensor:
        """The background at this share of their list, (3, size, size)."""
        assert self.backgrounds is not None
        return self.backgrounds.read(int(at * len(self.backgrounds)), self.size)
