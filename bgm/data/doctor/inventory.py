"""What there is to examine: subjects, backgrounds, scenes of a split, and what does not pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from bgm.data.clips import Clips, holds_clips
from bgm.data.interfaces import PictureSource, SubjectSource
from bgm.data.listing import list_backgrounds, list_subjects
from bgm.data.shards import compact
from bgm.errors import BadInput
from bgm.pictures import File, find_pictures

SHOWN = 5  # examples of a finding


class Finding(NamedTuple):
    """One thing that is wrong with a part of the data, in how many places, and some of them."""

    level: str  # "error": it stops or spoils a training; "warning": it harms one; "note": mere fact
    code: str  # what kind of thing: "broken", "unpaired", "leak", ...
    where: str  # "train subjects"
    sentence: str
    count: int = 1  # type: ignore[assignment] # tuple.count is not needed
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """The subjects, backgrounds or scenes of one split."""

    split: str  # "train", "valid" or "test"
    role: str  # "subjects", "backgrounds" or "scenes"
    root: str
    stems: Sequence[str] = ()
    files: Mapping[str, Sequence[File]] = field(default_factory=dict)  # kind -> file of each stem
    source: PictureSource | None = None  # that opens the items of these stems, if it has no files

    @property
    def where(self) -> str:
        return f"{self.split} {self.role}"

    def __len__(self) -> int:
        return len(self.stems)


def part_of(split: str, source: PictureSource, root: str = "") -> Part:
    """The part that a source is."""
    role = "subjects" if isinstance(source, SubjectSource) else "backgrounds"
    stems = [source.name(index) for index in range(len(source))]
    return Part(split, role, root, stems, source.files, None if source.files else source)


def take_inventory(split: str, role: str, places: Mapping[str, Any]) -> tuple[Part, list[Finding]]:
    """List a part's files, and what is missing or does not pair among them; raises nothing.

    places: the arguments of `Subjects` (root, or fgr and pha, or rgba), of `Backgrounds` (folder)
    or of `Scenes` (root).
    """
    given = {name: str(place) for name, place in places.items() if place is not None}
    root = next(iter(given.values()), "")
    empty = Part(split, role, root)
    try:
        if role == "subjects" and holds_clips(root):
            return part_of(split, Clips(root), root), []
        if role == "scenes":
            files: Any = {k: find_pictures(Path(root) / k) for k in ("src", "bgr", "pha")}
        else:
            files = (list_subjects if role == "subjects" else list_backgrounds)(**given).files
    except BadInput as error:
        return empty, [Finding("error", "folders", empty.where, str(error))]
    return pair(empty, files)


def pair(part: Part, files: dict[str, dict]) -> tuple[Part, list[Finding]]:
    """The part with the stems that all kinds share, and a finding for those that they do not."""
    if len(files.get("bgr", {})) == 1 and "src" in files:  # one plate for all
        files = {**files, "bgr": dict.fromkeys(files["src"], next(iter(files["bgr"].values())))}
    kinds = list(files)
    stems = [stem for stem in files[kinds[0]] if all(stem in files[kind] for kind in kinds)]
    shared = set(stems)
    unpaired = {stem: kind for kind in kinds for stem in files[kind] if stem not in shared}
    findings = []
    if unpaired:
        examples = tuple(f"{stem} (only in {kind})" for stem, kind in unpaired.items())[:SHOWN]
        sentence = f"stems of {' and '.join(f'{kind}/' for kind in kinds)} do not pair"
        findings = [Finding("error", "unpaired", part.where, sentence, len(unpaired), examples)]
    chosen = {kind: compact(files[kind], stems) for kind in kinds}
    return replace(part, stems=stems, files=chosen), findings
