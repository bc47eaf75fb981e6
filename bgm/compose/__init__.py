"""Benchmarks from a manifest: the same bytes from the same numbers, on every machine."""

from bgm.compose.clip_benchmarks import ClipBenchmark, by_clip
from bgm.compose.drawn_sources import DrawnBackgrounds, DrawnSubjects
from bgm.compose.manifest import Manifest, digest, write
from bgm.compose.photo_benchmarks import Perturbation, PhotoBenchmark, Trimap
from bgm.compose.picture_files import BackgroundFolder, SubjectFolder
from bgm.compose.read_manifest import read
from bgm.compose.write_scenes import MANIFEST, CheckFindings, check, compose, describe_findings

__all__ = [
    "MANIFEST",
    "BackgroundFolder",
    "CheckFindings",
    "ClipBenchmark",
    "DrawnBackgrounds",
    "DrawnSubjects",
    "Manifest",
    "Perturbation",
    "PhotoBenchmark",
    "SubjectFolder",
    "Trimap",
    "by_clip",
    "check",
    "compose",
    "describe_findings",
    "digest",
    "read",
    "write",
]
