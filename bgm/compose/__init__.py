"""Benchmarks from a manifest: the same bytes from the same numbers, on every machine."""

from bgm.compose.clip_benchmarks import Clips, by_clip
from bgm.compose.invented import DrawnBackgrounds, DrawnSubjects
from bgm.compose.manifest import Manifest, digest, write
from bgm.compose.material import BackgroundFolder, SubjectFolder
from bgm.compose.plan import Perturbation, Photographs, Trimap
from bgm.compose.reading import read
from bgm.compose.write_scenes import MANIFEST, Findings, check, compose, sentence

__all__ = [
    "MANIFEST",
    "BackgroundFolder",
    "Clips",
    "DrawnBackgrounds",
    "DrawnSubjects",
    "Findings",
    "Manifest",
    "Perturbation",
    "Photographs",
    "SubjectFolder",
    "Trimap",
    "by_clip",
    "check",
    "compose",
    "digest",
    "read",
    "sentence",
    "write",
]
