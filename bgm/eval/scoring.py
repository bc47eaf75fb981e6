"""Score one case, or many at a time, by a protocol; a killed run goes on where it was."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from bgm.compose import by_clip
from bgm.console import say, tracked
from bgm.data.fingerprint import fingerprint
from bgm.errors import BadInput, check_at_least
from bgm.eval.cases import Case, Cases
from bgm.export.targets import suffixes
from bgm.files import refusals_named, sha256, write_text
from bgm.infer.any_size import run_any_size
from bgm.metrics import Scores, metrics_of, score
from bgm.metrics.protocols import Scale, find_protocol
from bgm.run_info import cores

Entry = dict[str, float] | str  # scores, or why the picture was skipped
WEIGHTS = {".bin", ".data", ".ckpt", ".safetensors"}  # beside those of exported files


class PartialScores(NamedTuple):
    """Entries by name of the picture, appended to a file of JSON lines as they are ready."""

    path: Path
    file: TextIO
    entries: dict[str, Entry]

    def add(self, name: str, entry: Entry) -> None:
        """Write one picture's entry down; it survives a kill of this process from now on."""
        self.entries[name] = entry
        with refusals_named(self.path):
            self.file.write(json.dumps([name, entry]) + "\n")
            self.file.flush()


@contextmanager
def keep_partial_scores(path: str | Path, key: str) -> Iterator[PartialScores]:
    """Give what an earlier run of the same key left behind, to be added to.

    Of another key nothing is taken. The file is removed when the block ends without an exception.
    Raises BadInput where it cannot be written.
    """
    path = Path(path)
    entries = left_behind(path, key)
    lines = [{"key": key}, *entries.items()]
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
    with path.open("a", encoding="utf-8") as file:
        yield PartialScores(path, file, entries)
    path.unlink(missing_ok=True)


def left_behind(path: Path, key: str) -> dict[str, Entry]:
    """The entries of an earlier run of this key, up to a line that a kill cut off."""
    entries: dict[str, Entry] = {}
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines if json.loads(first) == {"key": key} else []:
            name, entries[name] = json.loads(line)
    except (OSError, ValueError):  # no file, an empty one, one of something else; the cut line
        pass
    return entries


def run_key(model: Path | None, files: Iterable[Path], *rules: object) -> str:
    """What must be equal for scores to be equal: model, files, rules, and the code that scores.

    model: a file whose bytes count (with its neighbours of the same stem: weights may lie apart).
    files: counted by name, size and time of change: on one machine that tells edits apart.
    """
    stats = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    neighbours = [] if model is None else sorted(model.parent.glob(f"{model.stem}.*"))
    kinds = WEIGHTS | {Path(suffix).suffix for suffix in suffixes()}
    weights = [sha256(f) for f in neighbours if f.is_file() and f.suffix in kinds]
    return fingerprint(model and sha256(model), weights, stats, *rules, score, run_any_size)


PredAndTrue = tuple[np.ndarray, np.ndarray]  # pha (H, W)


def frames_before(names: Sequence[str]) -> dict[int, int | None]:
    """For each frame of a clip ("walk/0001") the index of the one before it, None for the first."""
    clips = by_clip({name: index for index, name in enumerate(names) if "/" in name})
    before: dict[int, int | None] = {}
    for frames in clips.values():
        if len(frames) > 1:
            before |= dict(zip(frames, [None, *frames], strict=False))
    return before


class Rules(NamedTuple):
    """How cases are scored; see `bgm.metrics.score`."""

    protocol: str = "frame"
    scale: Scale = "native"
    grad_normalise: bool = True
    mask_known: bool = False

    def need_trimaps(self) -> bool:
        """Whether a case cannot be scored without its trimap."""
        return find_protocol(self.protocol).region == "unknown" or self.mask_known


def score_case(case: Case, rules: Rules, before: PredAndTrue | None = None) -> Entry:
    """The scores of one case by a protocol's folder rules, cropped; or why it is skipped.

    before: the mattes of the frame before this one, for the metrics over time.
    """
    multiple = find_protocol(rules.protocol).multiple
    pha, true = crop(case.pha, multiple), crop(case.true, multiple)
    fgr, true_fgr, trimap = (
        None if x is None else crop(x, multiple) for x in (case.fgr, *case[3:])
    )
    if rules.need_trimaps() and trimap is not None and not (trimap == 128).any():
        values = ", ".join(map(str, np.unique(trimap)[:6]))
        return f"no pixel of its trimap is 128 (unknown): it holds {values}"
    return score(
        pha, true, trimap, fgr_pred=fgr, fgr_true=true_fgr, before=before, **rules._asdict()
    )


def crop(x: np.ndarray, multiple: int) -> np.ndarray:
    """The top left of (..., H, W) whose sides are multiples; BadInput where nothing is left."""
    H, W = (side // multiple * multiple for side in x.shape[-2:])
    if H == 0 or W == 0:
        raise BadInput(f"{x.shape[-1]}x{x.shape[-2]} pixels are fewer than {multiple}x{multiple}")
    return np.ascontiguousarray(x[..., :H, :W])


def score_cases(
    cases: Cases,
    rules: Rules,
    title: str = "scoring",
    *,
    threads: int | None = None,
    partial: PartialScores | None = None,
) -> Scores:
    """Score all cases, as many at a time as there are threads (default: cores).

    A case is in memory only while it is worked on, its mattes a little longer for the metrics over
    time that some protocols have. partial: what is in it is not scored again, new entries are
    added. title: of the progress bar. Raises BadInput, naming the picture, for the first one that
    cannot be scored, and where every picture is skipped.
    """
    if threads is not None:
        check_at_least("scoring", 1, threads=threads)
    entries: dict[str, Entry] = dict(partial.entries) if partial else {}
    todo = [i for i, name in enumerate(cases.names) if name not in entries]
    for name, entry in tracked(_entries(cases, rules, todo, threads), title, len(todo)):
        entries[name] = entry
        if partial:
            partial.add(name, entry)
    scores = Scores(rules.protocol, rules.scale)
    for name in cases.names:
        entry = entries[name]
        scores.skip(name, entry) if isinstance(entry, str) else scores.add(name, entry)
    if not scores.rows:
        name, why = next(iter(scores.skipped.items()))
        raise BadInput(f"all {len(cases.names)} pictures are skipped, the first is {name}: {why}")
    return scores


def _entries(
    cases: Cases, rules: Rules, todo: list[int], threads: int | None
) -> Iterator[tuple[str, Entry]]:
    """Names and entries, in the order in which they are ready."""
    over_time = any(metric.needs == "before" for metric in metrics_of(rules.protocol).values())
    before = frames_before(cases.names) if over_time else {}
    threads = threads or cores()
    # A frame is asked for again for the one after it.
    case_of = lru_cache(2 * threads)(cases.__getitem__) if before else cases.__getitem__

    def entry_of(index: int) -> Entry:
        try:
            last = before.get(index)
            mattes = None if last is None else (case_of(last).pha, case_of(last).true)
            entry = score_case(case_of(index), rules, mattes)
        except BadInput as error:
            raise BadInput(f"{cases.names[index]}: {error}") from None
        first = before.get(index, index) is None
        if first and not isinstance(entry, str) and "dtssd" in metrics_of(rules.protocol):
            entry["dtssd"] = 0.0  # as RobustVideoMatting counts it
        return entry

    # Threads: decoding, cv2 and torch let go of the GIL.
    pool = ThreadPoolExecutor(threads)
    futures = {pool.submit(entry_of, i): cases.names[i] for i in todo}
    try:
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def write_scores(
    scores: Scores, out: Path, baselines: Mapping[str, Scores] | None = None
) -> list[Path]:
    """Write out.csv and out.json (with the baselines' means); returns their paths."""
    if baselines:
        means = {name: {"mean": b.mean(), "median": b.median()} for name, b in baselines.items()}
        scores.facts["baselines"] = means
    paths = [out.with_name(f"{out.name}.csv"), out.with_name(f"{out.name}.json")]
    scores.write_csv(paths[0])
    scores.write_json(paths[1])
    return paths


def show_scores(scores: Scores, baselines: Mapping[str, Scores]) -> None:
    """Print a row a picture, then the means of the baselines."""
    say(scores.table(), *(b.table(name, pictures=False) for name, b in baselines.items()), sep="\n")
