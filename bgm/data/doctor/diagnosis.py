"""From what was seen to what is wrong: findings with their counts and examples."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from bgm.data.clips import Clips
from bgm.data.doctor.inventory import SHOWN, Finding, Part
from bgm.data.doctor.item_report import ItemReport
from bgm.data.doctor.near_duplicates import find_near_duplicates

FEW = 100  # backgrounds; the paper trains on 8,636
SNAP = 3  # levels from 0 and 255 that a JPEG's noise makes of them
LEVELS = {"error": 0, "warning": 1, "note": 2}


def diagnose(parts: Sequence[Part], reports: Sequence[ItemReport]) -> list[Finding]:
    """All findings of reports on parts, errors first."""
    found = [*_backgrounds(parts), *_single(parts, reports), *_pairs(parts, reports)]
    return sorted(found, key=lambda finding: LEVELS[finding.level])


def _backgrounds(parts: Sequence[Part]) -> Iterator[Finding]:
    for part in parts:
        if part.role == "backgrounds" and part.split == "train" and 0 < len(part) < FEW:
            sentence = f"{len(part)} backgrounds, fewer than {FEW}: a network learns them by heart"
            yield Finding("warning", "few backgrounds", part.where, sentence, len(part))
        if isinstance(part.source, Clips):
            every = part.source.keyframe_every(0)
            if every > 24:
                sentence = f"a keyframe every {every:.0f} frames: jumps are slow, bgm pack helps"
                yield Finding("note", "keyframes", part.where, sentence, len(part.source.stems))


Check = tuple[str, str, str, Callable[[ItemReport], bool]]


def _soft(seen: ItemReport) -> int:
    return int(seen.alpha[SNAP + 1 : 255 - SNAP].sum())


def _noise(seen: ItemReport) -> bool:
    near = seen.alpha[1 : SNAP + 1].sum() + seen.alpha[255 - SNAP : 255].sum()
    return bool(near > 0.01 * seen.alpha.sum() and seen.alpha[2:].any())


def _both(seen: ItemReport) -> bool:
    return bool(seen.alpha[: SNAP + 1].sum() and seen.alpha[255 - SNAP :].sum())


ALPHA: tuple[Check, ...] = (
    (
        "error",
        "0 and 1",
        "alpha is stored as 0 and 1, expected 0 to 255: multiply it by 255",
        lambda s: s.alpha[1] > 0.005 * s.alpha.sum() and not s.alpha[2:].any(),
    ),
    (
        "error",
        "inverted",
        "alpha is high along the border and low in the middle: is it inverted?",
        lambda s: s.inverted,
    ),
    ("warning", "empty", "alpha is 0 everywhere: no subject", lambda s: s.alpha[1:].sum() == 0),
    ("warning", "full", "alpha is 255 everywhere: no edge", lambda s: s.alpha[:255].sum() == 0),
    (
        "warning",
        "binary",
        "alpha is 0 or 255 with nothing between: a mask, from which no soft edge is learnt",
        lambda s: _both(s) and _soft(s) < 1e-4 * s.alpha.sum(),
    ),
    (
        "warning",
        "never 0",
        "alpha is 0 nowhere: no place is clear background",
        lambda s: s.alpha[: SNAP + 1].sum() == 0,
    ),
    (
        "warning",
        "noise",
        "alpha is noisy near 0 and 255 as after JPEG, in files that are not JPEG (not snapped)",
        lambda s: not s.jpeg_alpha and _noise(s),
    ),
    (
        "note",
        "jpeg alpha",
        "alpha is JPEG: values within 3 of 0 and 255 are snapped to them",
        lambda s: s.jpeg_alpha and _noise(s),
    ),
    (
        "warning",
        "coloured alpha",
        "alpha files are in colour: their luminance is taken",
        lambda s: s.mode == "RGB",
    ),
    (
        "warning",
        "alpha of alpha",
        "alpha files have an alpha channel, which is not looked at: their luminance is taken",
        lambda s: s.mode == "A",
    ),
)


def _single(parts: Sequence[Part], reports: Sequence[ItemReport]) -> Iterator[Finding]:
    """Findings that one item shows by itself."""
    by_part: dict[int, list[ItemReport]] = defaultdict(list)
    for report in reports:
        by_part[report.part].append(report)
    for number, seen in sorted(by_part.items()):
        where = parts[number].where
        yield from _broken(where, [s for s in seen if s.broken])
        whole = [s for s in seen if s.alpha.any() and not s.broken]
        for level, code, sentence, is_so in ALPHA:
            names = [s.alpha_name for s in whole if is_so(s)]
            if names:
                yield Finding(
                    level,
                    code,
                    where,
                    f"{sentence} ({len(names)} of {len(whole)} looked at)",
                    len(names),
                    tuple(names[:SHOWN]),
                )


def _broken(where: str, seen: list[ItemReport]) -> Iterator[Finding]:
    sentences = {"broken": "files cannot be read", "sizes": "pictures of one item differ in size"}
    for code in ("broken", "sizes", "no alpha"):
        of_code = [s.broken for s in seen if s.code == code]
        if of_code:
            sentence = sentences.get(code, "files have no alpha channel")
            yield Finding("error", code, where, sentence, len(of_code), tuple(of_code[:SHOWN]))


def _pairs(parts: Sequence[Part], reports: Sequence[ItemReport]) -> Iterator[Finding]:
    """Findings that take two items: duplicates within a part, leaks between splits."""
    for kind in (("subjects", "scenes"), ("backgrounds",)):
        seen = [s for s in reports if s.thumb is not None and parts[s.part].role in kind]
        if len(seen) < 2:
            continue
        hashes = np.array([s.dhash for s in seen], np.uint64)
        thumbs = np.stack([s.thumb for s in seen if s.thumb is not None])
        near = find_near_duplicates(hashes, thumbs, _groups(parts, seen))
        exact = _same_bytes(seen)
        known = set(exact)
        rest = [pair for pair in map(tuple, near.tolist()) if pair not in known]
        yield from _group_pairs(parts, seen, exact, "the same file")
        yield from _group_pairs(parts, seen, rest, "look the same")


def _clip(parts: Sequence[Part], seen: ItemReport) -> str:
    """The folder of a subject's stem: its frames look alike; "" for what is not in a clip."""
    return "" if parts[seen.part].role == "backgrounds" else seen.stem.rpartition("/")[0]


def _groups(parts: Sequence[Part], seen: list[ItemReport]) -> np.ndarray:
    """A number for every clip, and one of its own for what is not in a clip."""
    numbers: dict[tuple, int] = {}
    keys = [(s.part, clip or f"/{s.stem}") for s in seen for clip in [_clip(parts, s)]]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys])


def _same_bytes(seen: list[ItemReport]) -> list[tuple[int, int]]:
    first: dict[bytes, int] = {}
    pairs = []
    for index, s in enumerate(seen):
        before = first.setdefault(s.digest, index)
        if before != index:
            pairs.append((before, index))
    return pairs


def _group_pairs(
    parts: Sequence[Part], seen: list[ItemReport], pairs: Iterable[tuple[int, int]], how: str
) -> Iterator[Finding]:
    """Pairs of one part are duplicates (frames of one clip are not), others are leaks."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for a, b in pairs:
        one, other = seen[a], seen[b]
        where, there = parts[one.part], parts[other.part]
        clips = [_clip(parts, s) for s in (one, other)]
        named = f"{one.name} and {other.name}"
        if where.split != there.split:
            groups["leak", f"{where.where} and {there.where}"].append(named)
        elif one.part == other.part and not (clips[0] == clips[1] != ""):
            groups["duplicates", where.where].append(named)
    for (code, place), names in groups.items():
        level = "error" if code == "leak" and how == "the same file" else "warning"
        sentence = "splits share pictures" if code == "leak" else "pictures are there twice"
        yield Finding(level, code, place, f"{sentence}: {how}", len(names), tuple(names[:SHOWN]))
