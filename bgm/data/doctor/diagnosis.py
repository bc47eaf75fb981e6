"""From what was seen to what is wrong, and the short form of it before every training."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, zip_longest

import numpy as np
from torch.utils.data import Dataset

from bgm.data.clips import Clips
from bgm.data.composites import Composites
from bgm.data.doctor.item_report import SHOWN, Finding, ItemReport, ItemReports, Part, part_of
from bgm.data.mixture import Mixture

FEW = 100  # backgrounds; the paper trains on 8,636
LEVELS = {"error": 0, "warning": 1, "note": 2}
BITS = 3  # of 64 that may differ
ALIKE = 4.0  # of 255: mean difference of thumbnails that look the same
NEIGHBOURS = 16  # in sorted order that are compared: more only where many look the same


def find_near_duplicates(hashes: np.ndarray, thumbs: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Pairs (n, 2) of indices i < j whose pictures look the same, but for those of one group.

    hashes: (N,) uint64 dHashes; thumbs: (N, 8, 8, 3) uint8; groups: (N,) clips, whose frames look
    like each other and should. Two hashes with at most 3 different bits share one of 4 bands of 16
    bits (pigeonhole), so that sorting by each band brings them together: N log N instead of N^2.
    Of many with one band the nearest in order are compared.
    """
    _, kept = np.unique(np.stack([groups.astype(np.uint64), hashes]), axis=1, return_index=True)
    hashes, thumbs, groups = hashes[kept], thumbs[kept], groups[kept]
    alike: set[tuple[int, int]] = set()
    for band in range(4):
        turned = (hashes << np.uint64(16 * band)) | (hashes >> np.uint64((64 - 16 * band) % 64))
        order = np.argsort(turned, kind="stable")
        first = turned[order] >> np.uint64(48)
        for lag in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
            a, b = order[:-lag], order[lag:]
            near = (first[lag:] == first[:-lag]) & (groups[a] != groups[b])
            near &= np.bitwise_count(hashes[a] ^ hashes[b]) <= BITS
            a, b = a[near], b[near]
            off = np.abs(thumbs[a].astype(np.int16) - thumbs[b]).mean(axis=(1, 2, 3))
            pairs = np.sort(kept[np.stack([a, b], axis=1)[off <= ALIKE]], axis=1)
            alike.update(map(tuple, pairs.tolist()))
    return np.array(sorted(alike), np.int64).reshape(-1, 2)


def diagnose(parts: Sequence[Part], reports: Sequence[ItemReport]) -> list[Finding]:
    """All findings of reports on parts, errors first."""
    findings = [*_parts(parts), *_items(parts, reports), *_pairs(parts, reports)]
    return sorted(findings, key=lambda finding: LEVELS[finding.level])


def _parts(parts: Sequence[Part]) -> Iterator[Finding]:
    """Findings that a part shows as a whole."""
    for part in parts:
        if part.role == "backgrounds" and part.split == "train" and 0 < len(part) < FEW:
            sentence = f"{len(part)} backgrounds, fewer than {FEW}: a network learns them by heart"
            yield Finding("warning", "few backgrounds", part.where, sentence, len(part))
        if isinstance(part.source, Clips):
            every = part.source.keyframe_every(0)
            if every > 24:
                sentence = f"a keyframe every {every:.0f} frames: jumps are slow, bgm pack helps"
                yield Finding("note", "keyframes", part.where, sentence, len(part.source.stems))


def _items(parts: Sequence[Part], reports: Sequence[ItemReport]) -> Iterator[Finding]:
    """Findings that one item shows by itself."""
    examples: dict[tuple, list[str]] = defaultdict(list)
    for report in reports:
        for level, code, example, sentence, *_ in report.problems:
            examples[report.part, level, code, sentence].append(example)
    for (number, level, code, sentence), named in examples.items():
        if sentence.startswith("alpha"):
            seen = sum(bool(r.alpha.any()) for r in reports if r.part == number)
            sentence = f"{sentence} ({len(named)} of {seen} looked at)"
        yield _finding(level, code, parts[number].where, sentence, named)


def _finding(level: str, code: str, where: str, sentence: str, named: list[str]) -> Finding:
    return Finding(level, code, where, sentence, len(named), tuple(named[:SHOWN]))


def _pairs(parts: Sequence[Part], reports: Sequence[ItemReport]) -> Iterator[Finding]:
    """Findings that take two items: duplicates within a part, leaks between splits."""
    for kind in (("subjects", "scenes"), ("backgrounds",)):
        seen = [s for s in reports if s.thumb is not None and parts[s.part].role in kind]
        if len(seen) < 2:
            continue
        hashes = np.array([s.dhash for s in seen], np.uint64)
        thumbs = np.stack([s.thumb for s in seen if s.thumb is not None])
        clips: dict[tuple, int] = {}  # a number for every clip, and for what is in none
        keys = [(s.part, _clip(parts, s) or f"/{s.stem}") for s in seen]
        groups = np.array([clips.setdefault(key, len(clips)) for key in keys])
        near = find_near_duplicates(hashes, thumbs, groups)
        first: dict[bytes, int] = {}
        before = [first.setdefault(s.digest, index) for index, s in enumerate(seen)]
        same = [pair for pair in zip(before, range(len(seen)), strict=True) if pair[0] != pair[1]]
        alike = [pair for pair in map(tuple, near.tolist()) if pair not in set(same)]
        yield from _group_pairs(parts, seen, same, "the same file")
        yield from _group_pairs(parts, seen, alike, "look the same")


def _clip(parts: Sequence[Part], seen: ItemReport) -> str:
    """The folder of a subject's stem: its frames look alike; "" for what is not in a clip."""
    return "" if parts[seen.part].role == "backgrounds" else seen.stem.rpartition("/")[0]


def _group_pairs(
    parts: Sequence[Part], seen: list[ItemReport], pairs: Iterable[tuple[int, int]], how: str
) -> Iterator[Finding]:
    """Pairs of one part are duplicates (frames of one clip are not), others are leaks."""
    duplicates: dict[str, list[str]] = defaultdict(list)
    leaks: dict[str, list[str]] = defaultdict(list)
    for a, b in pairs:
        one, other = parts[seen[a].part], parts[seen[b].part]
        named, clip = f"{seen[a].name} and {seen[b].name}", _clip(parts, seen[a])
        if one.split != other.split:
            leaks[f"{one.where} and {other.where}"].append(named)
        elif seen[a].part == seen[b].part and not (clip and clip == _clip(parts, seen[b])):
            duplicates[one.where].append(named)
    level = "error" if how == "the same file" else "warning"
    for place, names in leaks.items():
        yield _finding(level, "leak", place, f"splits share pictures: {how}", names)
    for place, names in duplicates.items():
        yield _finding("warning", "duplicates", place, f"pictures are there twice: {how}", names)


SAMPLED = 24  # items of a part at most


def checkup(datasets: Mapping[str, Dataset], seconds: float) -> list[str]:
    """Look at a few items of every split for so many seconds; returns lines to print.

    datasets: split -> dataset. Those that are not made of subjects and backgrounds on disk
    (procedural ones) have nothing to look at: without any other there are no lines. Raises nothing.
    """
    parts = [part for split, data in datasets.items() for part in parts_of(split, data)]
    if not parts:
        return []
    start = time.monotonic()
    reports = _inspect_until(parts, start + seconds)
    findings = [f for f in [*_shared_paths(parts), *diagnose(parts, reports)] if f.level != "note"]
    counts = ", ".join(f"{len(part):,} {part.where}" for part in parts)
    took = f"{len(reports)} looked at in {time.monotonic() - start:.1f} s"
    lines = [f"data: {counts}; {took}, {'nothing' if not findings else len(findings)} found"]
    for finding in findings:
        example = f": {finding.examples[0]}" if finding.examples else ""
        count = f" ({finding.count})" if finding.count > 1 else ""
        lines.append(f"  {finding.level}: {finding.where}: {finding.sentence}{count}{example}")
    return lines + ["  the whole story: bgm doctor data=... data_root=..."] * bool(findings)


def parts_of(split: str, dataset: Dataset) -> list[Part]:
    """The parts of a dataset that are files; of a mixture those of what is mixed."""
    if isinstance(dataset, Mixture):
        named = {split if n == "new" else f"{n} {split}": d for n, d in dataset.mixed.items()}
        return [part for name, data in named.items() for part in parts_of(name, data)]
    if isinstance(dataset, Composites):
        return [part_of(split, dataset.subjects), part_of(split, dataset.backgrounds)]
    return []


def _inspect_until(parts: list[Part], until: float) -> list[ItemReport]:
    """Looks at items of all parts in turn until time is up, one of each at least."""
    reports = ItemReports(parts, SAMPLED)
    chosen: dict[int, list[int]] = {}
    for index, (part, _) in enumerate(reports.chosen):
        chosen.setdefault(part, []).append(index)
    seen: list[ItemReport] = []
    for turn in zip_longest(*chosen.values()):
        for index in turn:
            if index is None or (time.monotonic() > until and len(seen) >= len(parts)):
                continue
            seen.append(reports[index])
    return seen


def _shared_paths(parts: list[Part]) -> Iterator[Finding]:
    """Files that two splits name: the surest leak, and cheap to find."""
    for one, other in combinations(parts, 2):
        shared = sorted(_paths(one) & _paths(other))
        if shared and other.role == one.role and other.split != one.split:
            place = f"{one.where} and {other.where}"
            yield Finding("error", "leak", place, "splits share files", len(shared), (shared[0],))


def _paths(part: Part) -> set[str]:
    files = part.source.videos if isinstance(part.source, Clips) else part.files
    return {str(path) for path in next(iter(files.values()), [])}
