"""Samples and scenes: from files, from folders of finished scenes, or made from nothing."""

from typing import TYPE_CHECKING, Any

from bgm.data.clips import Clips, open_subjects
from bgm.data.composites import Composites, CroppedSubjects
from bgm.data.folders import Backgrounds, Subjects
from bgm.data.interfaces import BackgroundSource, SubjectSource
from bgm.data.kept_back import KeptBack
from bgm.data.mixed import MixedSources
from bgm.data.mixture import Mixture
from bgm.data.pool import Pool
from bgm.data.procedural import Procedural
from bgm.data.scenes import Scenes

if TYPE_CHECKING:
    from bgm.data.datamodule import MattingData

__all__ = ["BackgroundSource", "Backgrounds", "Clips", "Composites", "CroppedSubjects", "KeptBack"]
__all__ += ["MattingData", "MixedSources", "Mixture", "Pool", "Procedural", "Scenes"]
__all__ += ["SubjectSource", "Subjects", "open_subjects"]


def __getattr__(name: str) -> Any:
    """Import Lightning, which takes seconds, with the first use of what needs it."""
    if name == "MattingData":
        from bgm.data.datamodule import MattingData

        return MattingData
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
