"""Score cases by a protocol, many at a time: a network, a trivial matte, a folder of pictures."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bgm.console import tracked
from bgm.errors import BadInput
from bgm.eval.cases import Case, Cases, Matted, MattedScenes, by_network
from bgm.eval.partial_scores import Entry, Journal
from bgm.eval.temporal import Temporal
from bgm.eval.trimaps import Trimaps
from bgm.metrics import Scores, score
from bgm.metrics.protocols import Scale, find_protocol
from bgm.types import Batch

__all__ = [
    "Matted",
    "Rules",
    "by_network",
    "score_cases",
    "score_scenes",
    "write_scores",
]


class Rules(NamedTuple):
    """How cases are scored; see `bgm.metrics.protocols`."""

    protocol: str = "frame"
    scale: Scale = "native"
    grad_normalise: bool = True
    mask_known: bool = False

    def need_trimaps(self) -> bool:
        return find_protocol(self.protocol).region == "unknown" or self.mask_known


def score_scenes(
    scenes: Any,
    run: Callable[[Batch], Matted],
    protocol: str,
    what: str = "scoring",
    *,
    rules: Rules | None = None,
    threads: int | None = None,
) -> Scores:
    """Scores of every scene; the foreground counts only where its truth is known.

    scenes: anything with names that gives Batches. rules: default: those of the protocol. Trimaps,
    if they need them, lie in scenes.root / "trimap", or are made of the truth.
    """
    rules = rules or Rules(protocol)
    root = Path(getattr(scenes, "root", os.devnull))
    trimaps = Trimaps(root / "trimap", scenes.names) if rules.need_trimaps() else None
    return score_cases(MattedScenes(scenes, run, trimaps), rules, what, threads=threads)


def score_cases(
    cases: Cases,
    rules: Rules,
    what: str = "scoring",
    *,
    threads: int | None = None,
    journal: Journal | None = None,
) -> Scores:
    """Score all cases, as many at a time as there are threads (default: cores).

    A case is in memory only while it is worked on; frames of clips a little longer, for the scores
    over time that some protocols have. journal: what is in it is not scored again, what
    is found is added. Raises BadInput, naming the picture, for the first one that cannot be scored,
    and where every picture is skipped.
    """
    scores = Scores(rules.protocol, rules.scale)
    entries: dict[str, Entry] = dict(journal.rows) if journal else {}
    todo = [i for i, name in enumerate(cases.names) if name not in entries]
    temporal = Temporal(cases.names if "dtssd" in scores.scales else [], _mattes(cases))
    for name, entry in tracked(_found(cases, rules, temporal, todo, threads), what, len(todo)):
        entries[name] = entry
        if journal:
            journal.add(name, entry)
    for name in cases.names:
        entry = entries[name]
        scores.skip(name, entry) if isinstance(entry, str) else scores.add(name, entry)
    if not scores.rows:
        name, why = next(iter(scores.skipped.items()))
        raise BadInput(f"all {len(cases.names)} pictures are skipped, the first is {name}: {why}")
    return scores


def _mattes(cases: Cases) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """pred and true of an index, made anew."""

    def made(index: int) -> tuple[np.ndarray, np.ndarray]:
        case = cases[index]
        return case.pha, case.true

    return made


def _found(
    cases: Cases, rules: Rules, temporal: Temporal, todo: list[int], threads: int | None
) -> Iterator[tuple[str, Entry]]:
    """Names and entries as they are found. Threads: decoding, cv2 and torch let go of the GIL."""
    pool = ThreadPoolExecutor(threads or cores())
    futures = {pool.submit(_entry, cases, i, rules, temporal): cases.names[i] for i in todo}
    try:
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _entry(cases: Cases, index: int, rules: Rules, temporal: Temporal) -> Entry:
    name = cases.names[index]
    try:
        case = cases[index]
        temporal.put(index, case.pha, case.true)
        row = score_case(case, rules)
        return row if isinstance(row, str) else row | temporal.row(index)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from None


def score_case(case: Case, rules: Rules) -> Entry:
    """The scores of one case by a protocol's folder rules: cropped; or why it is skipped."""
    multiple = find_protocol(rules.protocol).multiple
    case = Case(*(x if x is None else cropped(x, multiple) for x in case))
    unknown = case.trimap is not None and bool((case.trimap == 128).any())
    if rules.need_trimaps() and case.trimap is not None and not unknown:
        values = ", ".join(map(str, np.unique(case.trimap)[:6]))
        return f"no pixel of its trimap is 128 (unknown): it holds {values}"
    return score(
        case.pha,
        case.true,
        case.trimap,
        fgr_pred=case.fgr,
        fgr_true=case.true_fgr,
        **rules._asdict(),
    )


def cropped(x: np.ndarray, multiple: int) -> np.ndarray:
    """The top left of (..., H, W) whose sides are multiples; BadInput where nothing is left."""
    H, W = (side // multiple * multiple for side in x.shape[-2:])
    if H == 0 or W == 0:
        raise BadInput(f"{x.shape[-1]}x{x.shape[-2]} pixels are fewer than {multiple}x{multiple}")
    return np.ascontiguousarray(x[..., :H, :W])


def write_scores(
    scores: Scores, out: str | Path, baselines: Mapping[str, Scores] | None = None
) -> list[Path]:
    """Write out.csv and out.json (with the baselines' means); returns their paths."""
    if baselines:
        means = {name: {"mean": b.mean(), "median": b.median()} for name, b in baselines.items()}
        scores.about["baselines"] = means
    out = Path(out)
    paths = [out.with_name(f"{out.name}.csv"), out.with_name(f"{out.name}.json")]
    scores.write_csv(paths[0])
    scores.write_json(paths[1])
    return paths
