"""Benchmarks of photographs: which subject before which background, and how plates differ."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bgm.compose.benchmark_sources import (
    BenchmarkBackgrounds,
    BenchmarkSubject,
    BenchmarkSubjects,
    Source,
    check_subject,
)
from bgm.compose.manifest import LARGEST, Box, Manifest, Recipe, Scene, check_plate, check_trimap
from bgm.compose.perturbation import MICRO, SUB, PlateDifference
from bgm.compose.seeding import hash_key, random_integer, shuffled_numbers
from bgm.errors import BadInput


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


@dataclass(frozen=True)
class Trimap:
    """How trimaps are made of true mattes; see `bgm.trimap`."""

    low: float = 0.06
    high: float = 0.96
    dilate: int = 10
    erode: int = 10

    def __post_init__(self) -> None:
        check_trimap(**asdict(self))


@dataclass(frozen=True)
class PhotoBenchmark:
    """Every subject before `each` backgrounds, plates perturbed (Lin et al. 2021, appendix D.2).

    count: how many subjects there must be (None: any number). size: (H, W) of all scenes, in which
    subjects are fitted and centred; None: each subject's own. Backgrounds cover the scene, cut
    evenly. plate, trimap: None leaves them out.
    """

    name: str
    subjects: BenchmarkSubjects
    backgrounds: BenchmarkBackgrounds
    each: int
    count: int | None = None
    size: Sequence[int] | None = None
    plate: PlatePerturbation | None = None
    trimap: Trimap | None = None
    seed: int = 0

    def plan(self, data_root: str | Path) -> Manifest:
        """The manifest, without pixels and files; BadInput for sources that do not suffice."""
        check_counts(self.name, self.size, each=self.each)
        subjects = self.subjects.subjects(Path(data_root))
        places = list(self.backgrounds.backgrounds(Path(data_root)).values())
        check_count(self.name, "subjects", self.count, len(subjects), exact=True)
        check_count(self.name, "backgrounds", self.each, len(places))
        order = shuffled_numbers(len(places), self.seed, "backgrounds")
        used: dict[str, Source] = {}
        scenes = []
        for number in range(len(subjects) * self.each):
            subject = check_subject(subjects[number // self.each])
            place = places[order[number % len(places)]]
            plate = self.plate.draw(self.seed, "scene", number) if self.plate else None
            scenes.append(_photograph(f"{number:04d}", subject, place, self.size, plate))
            used |= {s.key: s for s in (subject.fgr, subject.pha, place)}
        recipe = Recipe("round", "weighted", asdict(self.trimap) if self.trimap else None)
        sources = {key: source.hashed() for key, source in used.items()}
        return Manifest(self.name, self.seed, recipe, sources, tuple(scenes))


def _photograph(
    name: str,
    subject: BenchmarkSubject,
    place: Source,
    size: Sequence[int] | None,
    plate: PlateDifference | None,
) -> Scene:
    h, w = subject.fgr.size()
    H, W = size or (h, w)
    box = fit_box((h, w), (H, W))
    keys = (subject.fgr.key, subject.pha.key, place.key)
    return Scene(name, *keys, (H, W), box, cover_box(place.size(), (H, W)), False, plate)


def fit_box(inner: tuple[int, int], outer: tuple[int, int]) -> Box:
    """The largest box of inner's shape inside outer, centred; rounded in integers."""
    (h, w), (H, W) = inner, outer
    if h * W <= w * H:
        size = (max(1, (2 * h * W + w) // (2 * w)), W)
    else:
        size = (H, max(1, (2 * w * H + h) // (2 * h)))
    return (H - size[0]) // 2, (W - size[1]) // 2, *size


def cover_box(inner: tuple[int, int], outer: tuple[int, int]) -> Box:
    """The largest box of outer's shape inside inner, centred: the cut that covers outer."""
    return fit_box(outer, inner)


def check_count(name: str, what: str, number: int | None, found: int, exact: bool = False) -> None:
    """Raise BadInput where there are fewer than `number`, or, if exact, another number."""
    if number is not None and (found != number if exact else found < number):
        exactly = "exactly" if exact else "at least"
        hint = ": name those to take in benchmark.subjects.names" if exact else ""
        raise BadInput(f"benchmark {name} needs {exactly} {number} {what}, found {found}{hint}")


def check_counts(name: str, size: Sequence[int] | None, **counts: int) -> None:
    """Raise BadInput for counts below 1 and for a size that is none."""
    if wrong := {what: n for what, n in counts.items() if n < 1}:
        raise BadInput(f"benchmark {name} has {wrong}, expected 1 or more")
    if size is not None and (len(size) != 2 or not all(1 <= n <= LARGEST for n in size)):
        raise BadInput(f"size of benchmark {name} is {list(size)}, expected [height, width]")
