"""Where a benchmark's subjects and backgrounds come from, and whether they are what they were."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bgm.compose.drawing import draw
from bgm.compose.manifest import Manifest, key_of, list_names
from bgm.errors import BadInput
from bgm.files import sha256
from bgm.pictures import (
    find_pictures,
    one_size,
    open_image,
    pair_by_stem,
    picture_size,
    read_picture,
)


class Source(NamedTuple):
    """A picture that a plan may use: a file, or one that is drawn from numbers."""

    key: str  # its name in the manifest
    spec: dict[str, Any]  # what the manifest says of it; of a file without sha256, yet
    path: Path | None  # None: drawn

    def size(self) -> tuple[int, int]:
        """(H, W), from the header of a file."""
        return picture_size(self.path) if self.path else tuple(self.spec["size"])


class BenchmarkSubject(NamedTuple):
    """A subject of a plan; the same source twice for RGBA. "a/0" is a frame of clip "a"."""

    name: str
    fgr: Source
    pha: Source


@dataclass(frozen=True)
class SubjectFolder:
    """fgr/ and pha/ paired by stem, or RGBA files; root is seen from data_root.

    names: the stems to take, in this order; None takes all, sorted.
    """

    root: str
    names: Sequence[str] | None = None

    def subjects(self, data_root: Path) -> list[BenchmarkSubject]:
        """The subjects; BadInput for folders that are missing, empty or do not pair."""
        root = Path(data_root, self.root)
        if (root / "pha").is_dir():
            fgr, pha = (find_pictures(root / kind) for kind in ("fgr", "pha"))
            stems, modes = pair_by_stem(fgr=fgr, pha=pha), ("RGB", "L")
        else:
            fgr = pha = find_pictures(root)
            stems, modes = list(fgr), ("RGBA", "RGBA")
        names = [self.names] if isinstance(self.names, str) else self.names
        if absent := [name for name in names or () if name not in fgr]:
            raise BadInput(f"{root} has no subject named {list_names(absent)}")
        return [
            BenchmarkSubject(
                stem, _file(fgr[stem], modes[0], data_root), _file(pha[stem], modes[1], data_root)
            )
            for stem in names or stems
        ]


@dataclass(frozen=True)
class BackgroundFolder:
    """Pictures at any depth; root is seen from data_root. Of clips, each has its own folder."""

    root: str

    def backgrounds(self, data_root: Path) -> dict[str, Source]:
        """The backgrounds; BadInput for a folder that is missing or empty."""
        paths = find_pictures(Path(data_root, self.root))
        return {stem: _file(path, "RGB", data_root) for stem, path in paths.items()}


def _file(path: Path, mode: str, data_root: Path) -> Source:
    return Source(key_of(path, data_root), {"mode": mode}, path)


@dataclass(frozen=True)
class _Drawn:
    """`count` drawn pictures of size (H, W), or as many clips of so many frames; no folder."""

    count: int
    size: int | Sequence[int]
    seed: int = 0
    frames: int = 1

    def sources(self, kind: str, mode: str) -> dict[str, Source]:
        """The pictures by name: clip and frame."""
        sources = {}
        size = [self.size] * 2 if isinstance(self.size, int) else list(self.size)
        for number in range(self.seed, self.seed + self.count):
            for time in range(self.frames):
                spec = {"drawn": kind, "mode": mode, "seed": number, "size": size, "time": time}
                key = f"{kind}-{number}-{size[0]}x{size[1]}-{time:04d}"
                sources[f"{number:04d}/{time:04d}"] = Source(key, spec, None)
        return sources


class DrawnSubjects(_Drawn):
    """Drawn subjects, which sway from frame to frame."""

    def subjects(self, data_root: Path) -> list[BenchmarkSubject]:
        """The subjects."""
        drawn = self.sources("subject", "RGBA")
        return [BenchmarkSubject(name, source, source) for name, source in drawn.items()]


class DrawnBackgrounds(_Drawn):
    """Drawn places, over which the camera pans from frame to frame."""

    def backgrounds(self, data_root: Path) -> dict[str, Source]:
        """The places by name."""
        return self.sources("place", "RGB")


def check_subject(subject: BenchmarkSubject) -> BenchmarkSubject:
    """The subject, if its files have one size and alpha; BadInput names them otherwise."""
    one_size({source.path or source.key: source.size() for source in subject[1:]})
    if subject.fgr.path and subject.fgr.spec["mode"] == "RGBA":
        with open_image(subject.fgr.path) as image:
            if not image.has_transparency_data:
                raise BadInput(
                    f"{subject.fgr.path} has no alpha channel (mode {image.mode}), and there is "
                    "no pha/ folder"
                )
    return subject


def changed_sources(manifest: Manifest, data_root: str | Path) -> str:
    """A sentence on source files that are missing or not what they were; "" if there are none."""
    files = {key: spec for key, spec in manifest.sources.items() if "drawn" not in spec}
    digests = {key: spec.get("sha256", "") for key, spec in files.items()}
    return describe_changes("source files", data_root, digests, sha256)


def describe_changes(
    what: str, place: str | Path, expected: Mapping[str, str], digest: Callable[[Path], str]
) -> str:
    """A sentence that counts and names the files below place that are missing or differ; or ""."""
    groups: dict[str, list[str]] = {"missing": [], "not what the manifest says": []}
    for name, then in expected.items():
        path = Path(place, name)
        if not path.is_file():
            groups["missing"].append(name)
        elif digest(path) != then:
            groups["not what the manifest says"].append(name)
    return "; ".join(
        f"{len(names)} {what} in {place} are {how}: {list_names(names)}"
        for how, names in groups.items()
        if names
    )


def source_reader(manifest: Manifest, data_root: Path) -> Callable[[str], NDArray[np.uint8]]:
    """A function from a source's key to its pixels, uint8 (H, W, C); the last few are kept."""

    @lru_cache(maxsize=12)
    def read_source(key: str) -> NDArray[np.uint8]:
        spec = manifest.sources[key]
        if "drawn" in spec:
            return draw(spec)
        return read_picture(data_root / key, spec["mode"]).permute(1, 2, 0).numpy()

    return read_source
