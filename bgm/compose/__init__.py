"""Benchmarks from a manifest: the same pixels from the same numbers, on every machine."""

from bgm.compose.benchmark_sources import BackgroundFolder, SubjectFolder
from bgm.compose.clip_benchmarks import ClipBenchmark, by_clip
from bgm.compose.drawn_sources import DrawnBackgrounds, DrawnSubjects
from bgm.compose.manifest import Manifest, read, write
from bgm.compose.photo_benchmarks import PhotoBenchmark, PlatePerturbation, Trimap
from bgm.compose.write_scenes import MANIFEST, check, compose

__all__ = [
    "MANIFEST",
    "BackgroundFolder",
    "ClipBenchmark",
    "DrawnBackgrounds",
    "DrawnSubjects",
    "Manifest",
    "PhotoBenchmark",
    "PlatePerturbation",
    "SubjectFolder",
    "Trimap",
    "by_clip",
    "check",
    "compose",
    "read",
    "write",
]
