"""What there is to look at, folders, shards and clips of a split, and what does not pair."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from bgm.data.clips import Clips
from bgm.data.shards.tar import compact, is_packed, read_shards
from bgm.errors import BadInput
from bgm.pictures import Member, find_pictures
from bgm.video import find_videos

SHOWN = 5  # examples of a finding


class Finding(NamedTuple):
    """One thing that is wrong with a part of the data, in how many places, and some of them."""

    level: str  # "error": it stops or spoils a training; "warning": it harms one; "note": mere fact
    code: str  # what kind of thing: "broken", "unpaired", "leak", ...
    where: str  # "train subjects"
    sentence: str
    count: int = 1
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """The subjects, backgrounds or scenes of one split."""

    split: str  # "train", "valid" or "test"
    role: str  # "subjects", "backgrounds" or "scenes"
    root: str
    stems: Sequence[str]
    files: Mapping[str, Sequence[str | Member]]  # kind ("fgr", "pha", ...) -> file of each stem
    clips: Clips | None = None  # in the place of files

    @property
    def where(self) -> str:
        return f"{self.split} {self.role}"

    def __len__(self) -> int:
        return len(self.stems) if self.clips is None else len(self.clips)


def take_stock(split: str, role: str, folders: Mapping[str, Any]) -> tuple[Part, list[Finding]]:
    """List a part's files, and what is missing or does not pair among them; raises nothing.

    folders: the arguments of `Subjects` (root, or fgr and pha, or rgba), of `Backgrounds` (folder)
    or of `Scenes` (root).
    """
    given = {name: str(path) for name, path in folders.items() if path is not None}
    root = given.get("root") or given.get("folder") or next(iter(given.values()), "")
    empty = Part(split, role, root, [], {})
    try:
        if role == "subjects" and find_videos(Path(root) / "fgr", needed=False):
            clips = Clips(root)
            return replace(empty, stems=clips.stems, clips=clips), []
        found = {kind: find() for kind, find in _finders(role, root, given).items()}
    except BadInput as error:
        return empty, [Finding("error", "folders", empty.where, str(error))]
    return paired(empty, found)


def paired(part: Part, found: dict[str, dict]) -> tuple[Part, list[Finding]]:
    """The part with the stems that all kinds share, and a finding for those that they do not."""
    if len(found.get("bgr", {})) == 1 and "src" in found:  # one plate for all
        found = {**found, "bgr": dict.fromkeys(found["src"], next(iter(found["bgr"].values())))}
    kinds = [kind for kind in found if not (kind == "fgr" and "src" in found)]  # fgr may lack some
    stems = [stem for stem in found[kinds[0]] if all(stem in found[kind] for kind in kinds)]
    shared = set(stems)
    lonely = {stem: kind for kind in kinds for stem in found[kind] if stem not in shared}
    findings = []
    if lonely:
        examples = tuple(f"{stem} (only in {kind})" for stem, kind in lonely.items())[:SHOWN]
        sentence = f"stems of {' and '.join(f'{kind}/' for kind in kinds)} do not pair"
        findings = [Finding("error", "unpaired", part.where, sentence, len(lonely), examples)]
    files = {kind: compact(found[kind], stems) for kind in kinds}
    return replace(part, stems=stems, files=files), findings


def _finders(role: str, root: str, given: dict[str, str]) -> dict[str, Callable[[], dict]]:
    """A function for every kind of file, to be called in turn."""
    if role == "scenes":
        return {
            kind: lambda k=kind: find_pictures(Path(root) / k) for kind in ("src", "bgr", "pha")
        }
    if Path(root).is_dir() and is_packed(root):
        shards = read_shards(root)
        return {kind: lambda k=kind: shards[k] for kind in shards}
    if role == "backgrounds":
        return {"bgr": lambda: find_pictures(root)}
    if "root" not in given:
        return {kind: lambda f=folder: find_pictures(f) for kind, folder in given.items()}
    if (Path(root) / "pha").is_dir():
        return {kind: lambda k=kind: find_pictures(Path(root) / k) for kind in ("fgr", "pha")}
    return {"rgba": lambda: find_pictures(root)}
