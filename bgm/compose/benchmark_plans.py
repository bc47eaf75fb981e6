"""Plans of benchmarks: which subject before which background, and how plates differ."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from bgm.compose.benchmark_sources import (
    BackgroundFolder,
    BenchmarkSubject,
    DrawnBackgrounds,
    DrawnSubjects,
    Source,
    SubjectFolder,
    check_subject,
)
from bgm.compose.manifest import LARGEST, Box, Manifest, Recipe, Scene, Trimap
from bgm.compose.perturbation import (
    PlateDifference,
    PlatePerturbation,
    random_integer,
    shuffled_numbers,
)
from bgm.errors import BadInput, check_at_least
from bgm.files import sha256

T = TypeVar("T")
Size = tuple[int, int]
Planned = tuple[Scene, tuple[Source, ...]]  # a scene, and what it is made of


@dataclass(frozen=True)
class PhotoBenchmark:
    """Every subject before `each` backgrounds, plates perturbed (Lin et al. 2021, appendix D.2).

    count: how many subjects there must be (None: any number). size: (H, W) of all scenes, in which
    subjects are fitted and centred; None: each subject's own. Backgrounds cover it, cut evenly.
    """

    name: str
    subjects: SubjectFolder | DrawnSubjects
    backgrounds: BackgroundFolder | DrawnBackgrounds
    each: int
    count: int | None = None
    size: Sequence[int] | None = None
    plate: PlatePerturbation | None = None
    trimap: Trimap | None = None
    seed: int = 0

    def plan(self, data_root: str | Path) -> Manifest:
        """The manifest, without pixels and files; BadInput for sources that do not suffice."""
        check_numbers(self.name, self.size, each=self.each)
        subjects = self.subjects.subjects(Path(data_root))
        places = list(self.backgrounds.backgrounds(Path(data_root)).values())
        check_count(self.name, "subjects", self.count, len(subjects), exact=True)
        check_count(self.name, "backgrounds", self.each, len(places))
        order = shuffled_numbers(len(places), self.seed, "backgrounds")
        planned = []
        for number in range(len(subjects) * self.each):
            subject, place = subjects[number // self.each], places[order[number % len(places)]]
            own = check_subject(subject).fgr.size()
            H, W = self.size or own
            plate = self.plate.draw(self.seed, "scene", number) if self.plate else None
            boxes = fit_box(own, (H, W)), fit_box((H, W), place.size())  # the cut that covers it
            planned.append(plan_scene(f"{number:04d}", subject, place, (H, W), boxes, False, plate))
        recipe = Recipe("round", "weighted", asdict(self.trimap) if self.trimap else None)
        return manifest_of(self.name, self.seed, recipe, planned)


@dataclass(frozen=True)
class ClipBenchmark:
    """Every clip before `still_each` pictures and `moving_each` moving backgrounds, frame by frame.

    Subjects and backgrounds are stretched to size = (H, W) (None: the clip's own), subjects are
    mirrored every other time, a clip begins anywhere from which it has enough frames, moving
    backgrounds at their first; src is truncated to 8 bits. Source: the evaluation scripts of
    RobustVideoMatting (Lin et al. 2022). count: how many clips there must be (None: any number).
    """

    name: str
    subjects: SubjectFolder | DrawnSubjects
    still: BackgroundFolder | DrawnBackgrounds | None = None
    moving: BackgroundFolder | DrawnBackgrounds | None = None
    still_each: int = 5
    moving_each: int = 5
    frames: int = 100
    count: int | None = None
    size: Sequence[int] | None = None
    seed: int = 0

    def plan(self, data_root: str | Path) -> Manifest:
        """The manifest, without pixels and files; BadInput for sources that do not suffice."""
        each = {"still": self.still_each, "moving": self.moving_each}
        check_numbers(self.name, self.size, frames=self.frames, **each)
        clips = by_clip({s.name: s for s in self.subjects.subjects(Path(data_root))})
        check_count(self.name, "clips", self.count, len(clips), exact=True)
        self._check_length(clips, "clip")
        planned: list[Planned] = []
        for kind, folder in (("still", self.still), ("moving", self.moving)):
            if folder is None:
                continue
            found = folder.backgrounds(Path(data_root))
            places = by_clip(found) if kind == "moving" else {n: [s] for n, s in found.items()}
            if kind == "moving":
                self._check_length(places, "moving background")
            check_count(self.name, f"{kind} backgrounds", each[kind], len(places))
            order = shuffled_numbers(len(places), self.seed, kind)
            for sample in range(len(clips) * each[kind]):
                frames = list(clips.values())[sample % len(clips)]
                place = list(places.values())[order[sample % len(places)]]
                flip = sample // len(clips) % 2 == 1
                planned += self._clip(f"{kind}-{sample:04d}", frames, place, flip)
        return manifest_of(self.name, self.seed, Recipe("floor", "plain", None), planned)

    def _clip(
        self, name: str, frames: list[BenchmarkSubject], place: list[Source], flip: bool
    ) -> Iterable[Planned]:
        first = random_integer(0, len(frames) - self.frames, self.seed, name)
        for time in range(self.frames):
            subject = check_subject(frames[first + time])
            bgr = place[time % len(place)]  # a still one has one frame
            H, W = self.size or subject.fgr.size()
            boxes = (0, 0, H, W), (0, 0, *bgr.size())
            yield plan_scene(f"{name}/{time:04d}", subject, bgr, (H, W), boxes, flip)

    def _check_length(self, clips: dict[str, list[T]], what: str) -> None:
        for name, frames in clips.items():
            if len(frames) < self.frames:
                raise BadInput(
                    f"{what} {name or '(not in a folder of its own)'} has {len(frames)} frames, "
                    f"benchmark {self.name} needs {self.frames}"
                )


def plan_scene(
    name: str,
    subject: BenchmarkSubject,
    bgr: Source,
    size: Size,
    boxes: tuple[Box, Box],
    flip: bool,
    plate: PlateDifference | None = None,
) -> Planned:
    """A scene of a subject in its box before a part (the second box) of a background."""
    keys = (subject.fgr.key, subject.pha.key, bgr.key)
    return Scene(name, *keys, size, *boxes, flip, plate), (subject.fgr, subject.pha, bgr)


def manifest_of(name: str, seed: int, recipe: Recipe, planned: list[Planned]) -> Manifest:
    """The manifest of planned scenes; every source file is read once, for its hash."""
    used = {source.key: source for _, sources in planned for source in sources}
    sources = {
        key: source.spec | ({"sha256": sha256(source.path)} if source.path else {})
        for key, source in used.items()
    }
    return Manifest(name, seed, recipe, sources, tuple(scene for scene, _ in planned))


def by_clip(frames: dict[str, T]) -> dict[str, list[T]]:
    """Frames by the folder they are in, in order: {"a/0": x, "a/1": y} -> {"a": [x, y]}."""
    clips: dict[str, list[T]] = {}
    for name, frame in frames.items():
        clips.setdefault(PurePosixPath(name).parent.as_posix().removeprefix("."), []).append(frame)
    return clips


def fit_box(inner: Size, outer: Size) -> Box:
    """The largest box of inner's shape inside outer, centred; rounded in integers."""
    (h, w), (H, W) = inner, outer
    if h * W <= w * H:
        size = (max(1, (2 * h * W + w) // (2 * w)), W)
    else:
        size = (H, max(1, (2 * w * H + h) // (2 * h)))
    return (H - size[0]) // 2, (W - size[1]) // 2, *size


def check_count(name: str, what: str, number: int | None, there: int, exact: bool = False) -> None:
    """Raise BadInput where there are fewer than `number`, or, if exact, another number."""
    if number is not None and (there != number if exact else there < number):
        exactly = "exactly" if exact else "at least"
        hint = ": name those to take in benchmark.subjects.names" if exact else ""
        raise BadInput(f"benchmark {name} needs {exactly} {number} {what}, found {there}{hint}")


def check_numbers(name: str, size: Sequence[int] | None, **counts: int) -> None:
    """Raise BadInput for counts below 1 and for a size that is none."""
    check_at_least(f"benchmark {name}", 1, **counts)
    if isinstance(size, int):
        raise BadInput(f"size of benchmark {name} is {size}, expected [height, width]")
    if size is not None and (len(size) != 2 or not all(1 <= n <= LARGEST for n in size)):
        raise BadInput(f"size of benchmark {name} is {list(size)}, expected [height, width]")
