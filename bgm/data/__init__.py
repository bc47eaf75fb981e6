"""Samples and scenes: from files, from folders of finished scenes, or made from nothing."""

from bgm.data.clips import Clips, open_subjects
from bgm.data.composites import Backgrounds, Composites, Subjects
from bgm.data.datamodule import MattingData
from bgm.data.mixture import Mixture
from bgm.data.pool import Pool
from bgm.data.procedural import Procedural
from bgm.data.scenes import Scenes

__all__ = [
    "Backgrounds",
    "Clips",
    "Composites",
    "MattingData",
    "Mixture",
    "Pool",
    "Procedural",
    "Scenes",
    "Subjects",
    "open_subjects",
]
