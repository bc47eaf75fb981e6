"""The doctor's short form for the start of every training: seconds, one line if all is well."""

import time
from collections.abc import Iterator, Mapping
from itertools import combinations, zip_longest

from torch.utils.data import Dataset

from bgm.data.clips import Clips
from bgm.data.composites import Composites
from bgm.data.doctor.diagnosis import diagnose
from bgm.data.doctor.inventory import Finding, Part, part_of
from bgm.data.doctor.item_report import ItemReport, ItemReports
from bgm.data.mixing import Mixture

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
