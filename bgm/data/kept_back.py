"""Subjects kept back from a training, to validate on."""

from PIL import Image

from bgm.data.interfaces import SubjectSource
from bgm.errors import BadInput


class KeptBack(SubjectSource):
    """Every so many-th subject of a source, the first of them among these, or all the others.

    held: the ones kept back; false: those to train on. Raises BadInput where none would be left.
    """

    def __init__(self, subjects: SubjectSource, every: int, held: bool) -> None:
        self.subjects, self.has_fgr = subjects, subjects.has_fgr
        if every < 1:
            raise BadInput(f"every is {every}, expected 1 or more")
        self.indices = [i for i in range(len(subjects)) if (i % every == 0) == held]
        if not self.indices:
            kept = "kept back" if held else "left to train on"
            raise BadInput(f"of {len(subjects)} subjects, every {every} kept back, none are {kept}")

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """That of the subject."""
        return self.subjects.name(self.indices[index])

    def open(self, index: int, short: int | None = None) -> Image.Image:
        """One subject as an "RGBA" picture, straight alpha."""
        return self.subjects.open(self.indices[index], short)
