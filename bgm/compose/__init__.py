"""Benchmarks from a manifest: the same pixels from the same numbers, on every machine."""

from bgm.compose.benchmark_plans import ClipBenchmark, PhotoBenchmark, by_clip
from bgm.compose.benchmark_sources import (
    BackgroundFolder,
    DrawnBackgrounds,
    DrawnSubjects,
    SubjectFolder,
)
from bgm.compose.manifest import Manifest, Trimap, read, write
from bgm.compose.perturbation import PlatePerturbation
from bgm.compose.write_scenes import MANIFEST, check, compose
