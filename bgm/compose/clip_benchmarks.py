"""Plans of clips: subjects that move before still and moving backgrounds, as RVM composes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from bgm.compose.benchmark_sources import (
    BenchmarkBackgrounds,
    BenchmarkSubject,
    BenchmarkSubjects,
    Source,
    check_subject,
)
from bgm.compose.manifest import Manifest, Recipe, Scene
from bgm.compose.photo_benchmarks import check_count, check_counts
from bgm.compose.seeding import random_integer, shuffled_numbers
from bgm.errors import BadInput

T = TypeVar("T")


@dataclass(frozen=True)
class ClipBenchmark:
    """Every clip before `still_each` pictures and `moving_each` moving backgrounds, frame by frame.

    Subjects and backgrounds are stretched to size = (H, W) (None: the clip's own), subjects are
    mirrored every other time, a clip begins anywhere from which it has enough frames, moving
    backgrounds at their first; src is truncated to 8 bits. Source: the evaluation scripts of
    RobustVideoMatting (Lin et al. 2022). count: how many clips there must be (None: any number).
    """

    name: str
    subjects: BenchmarkSubjects
    still: BenchmarkBackgrounds | None = None
    moving: BenchmarkBackgrounds | None = None
    still_each: int = 5
    moving_each: int = 5
    frames: int = 100
    count: int | None = None
    size: Sequence[int] | None = None
    seed: int = 0

    def plan(self, data_root: str | Path) -> Manifest:
        """The manifest, without pixels and files; BadInput for sources that do not suffice."""
        counts = {"still_each": self.still_each, "moving_each": self.moving_each}
        check_counts(self.name, self.size, frames=self.frames, **counts)
        subjects = self.subjects.subjects(Path(data_root))
        clips = by_clip({subject.name: subject for subject in subjects})
        check_count(self.name, "clips", self.count, len(clips), exact=True)
        self._long_enough(clips, "clip")
        used: dict[str, Source] = {}
        scenes: list[Scene] = []
        for kind, each in (("still", self.still_each), ("moving", self.moving_each)):
            folder = getattr(self, kind)
            places = self._places(kind, folder.backgrounds(Path(data_root))) if folder else []
            wanted = each if folder else 0
            check_count(self.name, f"{kind} backgrounds", wanted, len(places))
            order = shuffled_numbers(len(places), self.seed, kind)
            for sample in range(len(clips) * wanted):
                frames = list(clips.values())[sample % len(clips)]
                place = places[order[sample % len(places)]]
                flip = sample // len(clips) % 2 == 1
                scenes += self._clip(f"{kind}-{sample:04d}", frames, place, flip, used)
        sources = {key: source.hashed() for key, source in used.items()}
        return Manifest(
            self.name, self.seed, Recipe("floor", "plain", None), sources, tuple(scenes)
        )

    def _clip(
        self,
        name: str,
        frames: list[BenchmarkSubject],
        place: list[Source],
        flip: bool,
        used: dict[str, Source],
    ) -> list[Scene]:
        first = random_integer(0, len(frames) - self.frames, self.seed, name)
        scenes = []
        for time in range(self.frames):
            subject = check_subject(frames[first + time])
            bgr = place[time % len(place)]  # a still one has one frame
            H, W = self.size or subject.fgr.size()
            keys = (subject.fgr.key, subject.pha.key, bgr.key)
            whole = (0, 0, *bgr.size())
            scenes.append(
                Scene(f"{name}/{time:04d}", *keys, (H, W), (0, 0, H, W), whole, flip, None)
            )
            used |= {s.key: s for s in (subject.fgr, subject.pha, bgr)}
        return scenes

    def _places(self, kind: str, found: dict[str, Source]) -> list[list[Source]]:
        if kind == "still":
            return [[source] for source in found.values()]
        places = by_clip(found)
        self._long_enough(places, "moving background")
        return list(places.values())

    def _long_enough(self, clips: dict[str, list], what: str) -> None:
        for name, frames in clips.items():
            if len(frames) < self.frames:
                raise BadInput(
                    f"{what} {name or '(not in a folder of its own)'} has {len(frames)} frames, "
                    f"benchmark {self.name} needs {self.frames}"
                )


def by_clip(frames: dict[str, T]) -> dict[str, list[T]]:
    """Frames by the folder they are in, in order: {"a/0": x, "a/1": y} -> {"a": [x, y]}."""
    clips: dict[str, list[T]] = {}
    for name, frame in frames.items():
        clips.setdefault(PurePosixPath(name).parent.as_posix().removeprefix("."), []).append(frame)
    return clips
