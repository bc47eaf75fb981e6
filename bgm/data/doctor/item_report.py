"""What there is to examine, and one item examined: readable, sizes, alpha, what it looks like."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from bgm.data.clips import Clips, holds_clips
from bgm.data.folders import spread_indices
from bgm.data.interfaces import PictureSource, SubjectSource
from bgm.data.listing import list_backgrounds, list_subjects
from bgm.data.shards import compact
from bgm.errors import BadInput
from bgm.pictures import (
    CLASSES,
    File,
    find_pictures,
    needs_openimageio,
    open_image,
    open_picture,
    picture_size,
    read_bytes,
    to_mode,
)

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

    places: the arguments of `Subjects`, of `Backgrounds` or of `Scenes` that name folders.
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


SMALL = 64  # pixels a side: enough to see colours in an alpha file
DRAFT = 256  # pixels: JPEG colours are decoded no larger than needed
SNAP = 3  # levels from 0 and 255 that a JPEG's noise makes of them
MODES = {"pha": "L", "rgba": "RGBA"}  # of a kind of files; the others are "RGB"
NONE = np.zeros(256, np.int64)


class ItemReport(NamedTuple):
    """What was seen of one item."""

    part: int  # which of the parts
    name: str  # the file that is named when something is wrong
    stem: str
    problems: tuple[Finding, ...] = ()  # where: the file or the sentence that shows it
    size: tuple[int, int] = (0, 0)  # (H, W)
    alpha: np.ndarray = NONE  # (256,) pixels of each value; all 0 where alpha was not read
    thumb: np.ndarray | None = None  # (8, 8, 3) uint8; None where the item cannot be read
    dhash: int = 0  # dHash, 64 bits: near-duplicates differ in few of them
    digest: bytes = b""  # of the bytes of the file


class ItemReports(Dataset[ItemReport]):
    """Chosen items of parts -> ItemReport; raises nothing that a file can cause."""

    def __init__(self, parts: list[Part], limit: int | None = None) -> None:
        self.parts = parts
        self.chosen = [
            (n, i) for n, part in enumerate(parts) for i in spread_indices(len(part), limit)
        ]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> ItemReport:
        number, item = self.chosen[index]
        part = self.parts[number]
        files = {kind: paths[item] for kind, paths in part.files.items()}
        stem = part.stems[item]
        name = str(next(iter(files.values()))) if files else f"{part.root}: {stem}"
        report = ItemReport(number, name, stem)
        try:
            if part.source is not None:
                return _inspect_picture(report, part.source.open(item))
            return _inspect_files(report, part.role, files)
        except BadInput as error:
            return _broken(report, "broken", "files cannot be read", str(error))


def _broken(report: ItemReport, code: str, sentence: str, example: str) -> ItemReport:
    return report._replace(problems=(Finding("error", code, example, sentence),))


def _inspect_picture(report: ItemReport, picture: Image.Image) -> ItemReport:
    """A picture that is in no picture file: a frame of a clip, a background made by a program."""
    report, content = report._replace(size=picture.size[::-1]), picture.tobytes()
    if picture.mode != "RGBA":
        return _with_fingerprints(report, picture.convert("RGB"), None, content)
    alpha = picture.getchannel("A")
    report = _with_alpha(report, alpha, report.name, "L", jpeg=True)
    return _with_fingerprints(report, picture.convert("RGB"), alpha, content)


def _inspect_files(report: ItemReport, role: str, files: dict[str, File]) -> ItemReport:
    main = next(iter(files.values()))
    sizes = {path: picture_size(path) for path in files.values()}
    if len(set(sizes.values())) > 1:
        named = ", ".join(f"{path} {W}x{H}" for path, (H, W) in sizes.items())
        return _broken(report, "sizes", "pictures of one item differ in size", named)
    report = report._replace(size=sizes[main])
    images = {kind: _decoded(path, kind) for kind, path in files.items()}
    colour, pha = images[next(iter(files))], None
    if "rgba" in files:
        if not colour.has_transparency_data:
            named = f"{main} has no alpha channel (mode {colour.mode})"
            return _broken(report, "no alpha", "files have no alpha channel", named)
        pha = colour.convert("RGBA").getchannel("A")
        report = _with_alpha(report, pha, str(main), "L", jpeg=False)
    elif "pha" in files:
        pha, name = to_mode(images["pha"], "L"), str(files["pha"])
        jpeg = name.lower().endswith((".jpg", ".jpeg"))
        report = _with_alpha(report, pha, name, _mode(images["pha"]), jpeg)
    shown = pha if role == "subjects" else None
    return _with_fingerprints(report, colour.convert("RGB"), shown, read_bytes(main))


def _decoded(path: File, kind: str) -> Image.Image:
    """All of a file: what is cut off shows at its end only."""
    if needs_openimageio(path):  # 1.0 of floats is 255: Pillow would cut them off
        return open_picture(path, MODES.get(kind, "RGB"))[0]
    with open_image(path) as image:
        if image.format == "JPEG" and image.mode == "RGB":
            image.draft("RGB", (DRAFT, DRAFT))  # entropy decoding still goes to the end
        image.load()
        return image


def _mode(image: Image.Image) -> str:
    """ "L" for a gray picture however stored, "RGB" for a coloured one, "A" with its own alpha."""
    if image.has_transparency_data:
        return "A"
    if image.mode in ("1", "L", "P", "RGB"):
        rgb = np.asarray(image.convert("RGB").resize((SMALL, SMALL), Image.Resampling.NEAREST))
        return "RGB" if np.ptp(rgb.astype(int), axis=2).max() > 8 else "L"
    return "L" if image.mode.startswith("I") else image.mode


def _with_alpha(
    report: ItemReport, pha: Image.Image, name: str, mode: str, jpeg: bool
) -> ItemReport:
    """Add the histogram of alpha ("L"), and what is wrong with it in the file of that name."""
    histogram = np.array(pha.histogram(), np.uint32)
    wrong = _alpha_problems(histogram, pha, mode, jpeg)
    problems = (Finding(level, code, name, sentence) for level, code, sentence in wrong)
    return report._replace(alpha=histogram, problems=tuple(problems))


def _alpha_problems(
    alpha: np.ndarray, pha: Image.Image, mode: str, jpeg: bool
) -> list[tuple[str, str, str]]:
    """Level, code and sentence of all that is wrong with alpha, given as (256,) pixels a value."""
    pixels, above_1 = alpha.sum(), alpha[2:].any()
    top = int(np.flatnonzero(alpha)[-1])
    dark, bright = alpha[: SNAP + 1].sum(), alpha[255 - SNAP :].sum()
    soft = alpha[SNAP + 1 : 255 - SNAP].sum()
    near = dark - alpha[0] + bright - alpha[255]
    small = np.asarray(pha.resize((16, 16), Image.Resampling.BOX)).astype(float) / 255
    border = np.concatenate([small[0], small[:, 0], small[:, -1]]).mean()  # not the lower one
    noisy = near > 0.01 * pixels and above_1
    problems = {
        ("error", "0 and 1", "stored as 0 and 1, expected 0 to 255: multiply by 255"): (
            alpha[1] > 0.005 * pixels and not above_1
        ),
        ("error", "classes", f"up to {top} only, as classes are, expected 0 to 255"): (
            1 < top <= CLASSES
        ),
        ("warning", "per cents", "up to 100, as per cents are: multiply by 2.55?"): top == 100,
        ("error", "inverted", "high along the border and low in the middle: is it inverted?"): (
            border > 0.6 and small[4:12, 4:12].mean() < border - 0.4
        ),
        ("warning", "empty", "0 everywhere: no subject"): alpha[0] == pixels,
        ("warning", "full", "255 everywhere: no edge"): alpha[255] == pixels,
        ("warning", "binary", "0 or 255 only: a mask, from which no soft edge is learnt"): (
            dark and bright and soft < 1e-4 * pixels
        ),
        ("warning", "never 0", "0 nowhere: no place is clear background"): dark == 0,
        ("note", "jpeg alpha", "JPEG: values within 3 of 0 and 255 become these"): noisy and jpeg,
        ("warning", "noise", "noisy near 0 and 255 as after JPEG, which it is not"): (
            noisy and not jpeg
        ),
        ("warning", "coloured alpha", "in colour: its luminance is taken"): mode == "RGB",
        ("warning", "alpha of alpha", "beside an alpha channel, which is ignored"): mode == "A",
    }
    found = (key for key, wrong in problems.items() if wrong)
    return [(level, code, f"alpha is {what}") for level, code, what in found]


def _with_fingerprints(
    report: ItemReport, colour: Image.Image, alpha: Image.Image | None, content: bytes
) -> ItemReport:
    """Add the fingerprints and the thumbnail, on gray where it is a subject."""
    if alpha is not None:
        size = (SMALL, max(1, SMALL * alpha.size[1] // alpha.size[0]))
        small, shown = (x.resize(size, Image.Resampling.BOX) for x in (colour, alpha))
        colour = Image.composite(small, Image.new("RGB", size, (128, 128, 128)), shown)
    gray = np.asarray(colour.convert("L").resize((9, 8), Image.Resampling.BOX)).astype(int)
    bits = np.packbits(gray[:, 1:] > gray[:, :-1])
    return report._replace(
        thumb=np.array(colour.resize((8, 8), Image.Resampling.BOX)),
        dhash=int.from_bytes(bits.tobytes(), "big"),
        digest=hashlib.blake2b(content, digest_size=16).digest(),
    )
