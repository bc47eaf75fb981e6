"""The doctor's short form for the start of every training: seconds, one line if all is well."""

import time
from collections.abc import Mapping

from torch.utils.data import Dataset

from bgm.data.clips import Clips
from bgm.data.composites import Composites
from bgm.data.doctor.diagnosis import diagnose
from bgm.data.doctor.inventory import Finding, Part, part_of
from bgm.data.doctor.item_report import ItemReport, ItemReports
from bgm.data.mixture import Mixture

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
    found = [f for f in [*_shared_paths(parts), *diagnose(parts, reports)] if f.level != "note"]
    counts = ", ".join(f"{len(part):,} {part.where}" for part in parts)
    took = f"{len(reports)} looked at in {time.monotonic() - start:.1f} s"
    lines = [f"data: {counts}; {took}, {'nothing' if not found else len(found)} found"]
    lines += [finding_line(finding) for finding in found]
    return lines + ["  the whole story: bgm doctor data=... data_root=..."] * bool(found)


def finding_line(finding: Finding) -> str:
    """One finding on one line."""
    example = f": {finding.examples[0]}" if finding.examples else ""
    count = f" ({finding.count})" if finding.count > 1 else ""
    return f"  {finding.level}: {finding.where}: {finding.sentence}{count}{example}"


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
    turns = sorted(range(len(reports)), key=lambda i: (_rank(reports, i), reports.chosen[i][0]))
    seen: list[ItemReport] = []
    for index in turns:
        if time.monotonic() > until and len(seen) >= len(parts):
            break
        seen.append(reports[index])
    return seen


def _rank(reports: ItemReports, index: int) -> int:
    """How many items of the same part come before this one."""
    part = reports.chosen[index][0]
    return index - next(i for i, (other, _) in enumerate(reports.chosen) if other == part)


def _shared_paths(parts: list[Part]) -> list[Finding]:
    """Files that two splits name: the surest leak, and cheap to find."""
    found = []
    for n, part in enumerate(parts):
        for other in parts[n + 1 :]:
            if other.role != part.role or other.split == part.split:
                continue
            shared = sorted(_paths(part) & _paths(other))
            if shared:
                where = f"{part.where} and {other.where}"
                found.append(
                    Finding("error", "leak", where, "splits share files", len(shared), (shared[0],))
                )
    return found


def _paths(part: Part) -> set[str]:
    files = part.source.videos if isinstance(part.source, Clips) else part.files
    return {str(path) for path in next(iter(files.values()), [])}
