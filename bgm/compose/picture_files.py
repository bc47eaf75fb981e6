"""Where subjects and backgrounds come from, and how they are opened and verified."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bgm.compose.drawing import draw
from bgm.compose.manifest import Manifest, digest, key_of, list_names
from bgm.errors import BadInput
from bgm.pictures import find_pictures, pair_by_stem, picture_size, read_picture


class Source(NamedTuple):
    """A picture that a plan may use: a file, or one that is drawn from numbers."""

    key: str  # its name in the manifest
    spec: dict[str, Any]  # what the manifest says of it; of a file without sha256, yet
    path: Path | None  # None: drawn

    def size(self) -> tuple[int, int]:
        """(H, W), from the header of a file."""
        return picture_size(self.path) if self.path else tuple(self.spec["size"])

    def hashed(self) -> dict[str, Any]:
        """The spec, with sha256 of a file."""
        return {**self.spec, "sha256": digest(self.path)} if self.path else self.spec


class BenchmarkSubject(NamedTuple):
    """A subject of a plan; the same source twice for RGBA."""

    name: str
    fgr: Source
    pha: Source


class BenchmarkSubjects(Protocol):
    """What a plan takes its subjects from; names with a slash are frames of a clip."""

    def subjects(self, data_root: Path) -> list[BenchmarkSubject]: ...


class BenchmarkBackgrounds(Protocol):
    """What a plan takes its backgrounds from, by name."""

    def backgrounds(self, data_root: Path) -> dict[str, Source]: ...


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
            stems = pair_by_stem(fgr=fgr, pha=pha)
            modes = ("RGB", "L")
        else:
            fgr = pha = find_pictures(root)
            stems, modes = list(fgr), ("RGBA", "RGBA")
        if absent := [name for name in self.names or () if name not in fgr]:
            raise BadInput(f"{root} has no subject named {list_names(absent)}")
        files = [(fgr[s], pha[s]) for s in self.names or stems]
        return [
            BenchmarkSubject(s, *(_file(f, m, data_root) for f, m in zip(two, modes, strict=True)))
            for s, two in zip(self.names or stems, files, strict=True)
        ]


@dataclass(frozen=True)
class BackgroundFolder:
    """Pictures at any depth; root is seen from data_root. Of clips, each has its own folder."""

    root: str

    def backgrounds(self, data_root: Path) -> dict[str, Source]:
        """The backgrounds; BadInput for a folder that is missing or empty."""
        found = find_pictures(Path(data_root, self.root))
        return {stem: _file(path, "RGB", data_root) for stem, path in found.items()}


def _file(path: Path, mode: str, data_root: Path) -> Source:
    return Source(key_of(path, data_root), {"mode": mode}, path)


def check_subject(subject: BenchmarkSubject) -> BenchmarkSubject:
    """The subject, if its files have one size and alpha; BadInput names them otherwise."""
    sizes = [source.size() for source in (subject.fgr, subject.pha)]
    if sizes[0] != sizes[1]:
        (h, w), (H, W) = sizes
        raise BadInput(f"{subject.fgr.path} is {w}x{h} pixels and {subject.pha.path} is {W}x{H}")
    if subject.fgr.path and subject.fgr.spec["mode"] == "RGBA":
        with Image.open(subject.fgr.path) as image:
            if not image.has_transparency_data:
                raise BadInput(
                    f"{subject.fgr.path} has no alpha channel (mode {image.mode}), and there is "
                    "no pha/ folder"
                )
    return subject


def verify(manifest: Manifest, data_root: Path) -> tuple[list[str], list[str]]:
    """The source files of a manifest that are missing, and those that are not what they were."""
    missing, different = [], []
    for key, spec in manifest.sources.items():
        if "drawn" in spec:
            continue
        try:
            if digest(Path(data_root, key)) != spec.get("sha256"):
                different.append(key)
        except OSError:
            missing.append(key)
    return missing, different


def opener(manifest: Manifest, data_root: Path, pixels: dict[str, str]) -> Callable[[str], NDArray]:
    """A function from a source's key to its pixels, uint8 (H, W, C); the last few are kept.

    pixels collects the hashes of what was opened. Raises BadInput where a manifest knows other
    pixels: a JPEG may decode differently elsewhere, and drawing may not.
    """

    @lru_cache(maxsize=12)
    def open_source(key: str) -> NDArray[np.uint8]:
        spec = manifest.sources[key]
        if "drawn" in spec:
            x = draw(spec)
        else:
            x = read_picture(Path(data_root, key), spec["mode"]).permute(1, 2, 0).numpy()
        x = np.ascontiguousarray(x)
        pixels[key] = hashlib.sha256(repr(x.shape).encode() + x.tobytes()).hexdigest()
        if manifest.pixels.get(key, pixels[key]) != pixels[key]:
            why = (
                "the drawing code has changed"
                if "drawn" in spec
                else "this machine decodes it differently, or reads its alpha otherwise"
            )
            raise BadInput(
                f"{key} gives other pixels than when the manifest {manifest.name} was made ({why})"
            )
        return x

    return open_source
