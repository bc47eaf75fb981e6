"""Drawn subjects and places as the sources of a plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bgm.compose.benchmark_sources import BenchmarkSubject, Source


@dataclass(frozen=True)
class DrawnSubjects:
    """`count` drawn subjects of size (H, W), or as many clips of so many frames."""

    count: int
    size: Sequence[int]
    seed: int = 0
    frames: int = 1

    def subjects(self, data_root: Path) -> list[BenchmarkSubject]:
        """The subjects; they need no folder."""
        drawn = _drawn("subject", "RGBA", self.count, self.size, self.seed, self.frames)
        return [BenchmarkSubject(name, source, source) for name, source in drawn.items()]


@dataclass(frozen=True)
class DrawnBackgrounds:
    """`count` drawn places of size (H, W), or as many clips of so many frames that pan."""

    count: int
    size: Sequence[int]
    seed: int = 0
    frames: int = 1

    def backgrounds(self, data_root: Path) -> dict[str, Source]:
        """The places by name; they need no folder."""
        return _drawn("place", "RGB", self.count, self.size, self.seed, self.frames)


def _drawn(
    kind: str, mode: str, count: int, size: Sequence[int], seed: int, frames: int
) -> dict[str, Source]:
    found = {}
    for number in range(seed, seed + count):
        for time in range(frames):
            spec = {"drawn": kind, "mode": mode, "seed": number, "size": list(size), "time": time}
            key = f"{kind}-{number}-{size[0]}x{size[1]}-{time:04d}"
            found[f"{number:04d}/{time:04d}"] = Source(key, spec, None)
    return found
