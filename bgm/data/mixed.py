"""Drawn samples some of whose places and subjects are exchanged for photographs and people."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bgm.data.interfaces import BackgroundSource, SubjectSource, get_samples
from bgm.data.recolour import recoloured
from bgm.errors import BadInput, check_at_least
from bgm.types import Sample

SALT = 0x5EED5  # keeps what is exchanged apart from other draws of the same seed


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
        check_at_least("mixed data", 1, size=size)
        check_at_least("mixed data", 0, seed=seed)
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
        rng = np.random.default_rng([SALT, self.seed, draw])
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
