"""What eval.py does, step by step: open what is scored, score it, keep the best and the worst."""

import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from bgm.console import say, tracked
from bgm.data import Scenes
from bgm.errors import BadInput
from bgm.eval.cases import (
    Case,
    Cases,
    ComputedCases,
    Predict,
    Prediction,
    StoredCases,
    predict_with,
    quantise,
)
from bgm.eval.report import check_libraries
from bgm.eval.report.runs import KINDS
from bgm.eval.robustness import Curves, curve_paths, holds_curves, score_curves
from bgm.eval.scoring import (
    PartialScores,
    Rules,
    keep_partial_scores,
    run_key,
    score_cases,
    write_scores,
)
from bgm.eval.stored_pictures import Predictions, Trimaps
from bgm.files import beside, refusals_named, sha256
from bgm.infer.models import open_model
from bgm.metrics import Scores, all_zero, tune_keys
from bgm.pictures import read_picture, to_uint8, write_png
from bgm.run_info import hardware, versions
from bgm.types import Batch
from bgm.weights import weights_file

SETTINGS = ("backbone_scale", "select", "sample_pixels", "threshold")
MODEL_OPTIONS = ("device", "runtime", "base_scale", "optimize", "kernel_size", *SETTINGS)
LONG_SIDE = 256  # pixels: what bounds the size of a report


def score_baselines(
    scenes: Any, rules: Rules | None = None, trimaps: Trimaps | None = None
) -> dict[str, Scores]:
    """Scores of nothing, and of background-difference keys tuned on these very scenes."""
    indices = tracked(range(len(scenes.names)), "tuning keys")
    tuned = tune_keys([to_uint8(x).numpy() for x in scenes[i][:3]] for i in indices)
    keys = {"all_zero": all_zero} | {kind: t.key for kind, t in tuned.items() if kind != "best"}
    scores = {}
    for name, key in keys.items():
        predict = partial(_matte, key)
        scores[name] = score_cases(ComputedCases(scenes, predict, trimaps), rules or Rules(), name)
    return scores


def _matte(key: Callable[..., np.ndarray], scene: Batch) -> Prediction:
    return key(*(to_uint8(x).numpy() for x in scene[:2])), None


def save_examples(
    cases: Cases, scenes: Scenes, scores: Scores, out: Path, number: int
) -> list[dict[str, Any]]:
    """Write out-pictures/RANK-{src,bgr,true,pred,error}.png, the worst and best `number` of each.

    Ranked by the protocol's first metric. Returns what the JSON says of them.
    """
    folder = out.with_name(f"{out.name}-pictures")
    remove_examples(folder)  # an earlier run's
    metric = next(iter(scores.metrics))
    names = scores.worst_first(metric)
    worst, rest = names[:number], names[number:]  # no picture twice
    examples = []
    for kind, chosen in (("worst", worst), ("best", rest[::-1][:number])):
        for place, name in enumerate(chosen, 1):
            rank, index = f"{kind}-{place}", scenes.names.index(name)
            for what, picture in pictures_of(cases[index], scenes.files[index]).items():
                pixels = torch.from_numpy(picture.transpose(2, 0, 1))
                write_png(folder / f"{rank}-{what}.png", pixels)
            value = scores.rows[name][metric]
            examples.append({"name": name, "rank": rank, "metric": metric, "value": value})
    return examples


def remove_examples(folder: Path) -> None:
    """Remove what `save_examples` wrote into a folder; all else in it is the user's and stays."""
    ours = re.compile(rf"(worst|best)-[1-9]\d*-({'|'.join(KINDS)})\.png")
    for path in folder.iterdir() if folder.is_dir() else ():
        if ours.fullmatch(path.name) and path.is_file():
            with refusals_named(path):
                path.unlink(missing_ok=True)


def pictures_of(case: Case, files: tuple[Path | None, ...]) -> dict[str, np.ndarray]:
    """Small pictures (h, w, 3 or 1) uint8 of one case, by kind."""
    src, bgr = (read_picture(f).numpy().transpose(1, 2, 0) for f in files[:2] if f)
    pred = quantise(case.pha, "round", "pha")
    H, W = (min(sides) for sides in zip(pred.shape, case.true.shape, strict=True))
    pred, true = pred[:H, :W], case.true[:H, :W]  # a folder rule may have cropped one of them
    pictures = (src, bgr, true, pred, signed_error(pred, true))
    return dict(zip(KINDS, map(shrink, pictures), strict=True))


def signed_error(pred: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: white where both agree, red where pred is too high, blue too low."""
    wrong = pred.astype(np.int16) - true.astype(np.int16)
    high = (255 - wrong.clip(0)).astype(np.uint8)
    low = (255 + wrong.clip(None, 0)).astype(np.uint8)
    return np.stack([low, np.minimum(high, low), high], axis=-1)


def shrink(x: np.ndarray) -> np.ndarray:
    """At most LONG_SIDE pixels long, pixels averaged."""
    factor = min(1.0, LONG_SIDE / max(x.shape[:2]))
    size = [max(1, round(side * factor)) for side in x.shape[:2]]
    x = cv2.resize(x, size[::-1], interpolation=cv2.INTER_AREA)
    return np.atleast_3d(x)


class Evaluation(NamedTuple):
    """What is scored, how, and where the scores go."""

    scenes: Scenes
    cases: Cases
    predict: Predict | None  # of a model; None for a folder of predictions
    rules: Rules
    trimaps: Trimaps | None
    out: Path  # OUT of OUT.csv and OUT.json
    facts: dict[str, Any]  # what is to be written down about the scores
    key: str  # equal for runs whose scores are equal

    def partial_scores(self, part: str = "") -> AbstractContextManager[PartialScores]:
        """What a killed run of the same key left behind beside the outputs."""
        return keep_partial_scores(
            self.out.with_name(f".{self.out.name}{part}.partial.jsonl"), self.key
        )


def check_inputs_and_outputs(
    ckpt: str | None,
    pred: str | None,
    out: str | None,
    report: str | None,
    perturbations: Sequence[str],
) -> None:
    """Refuse, before anything is computed, a wrong choice of inputs and outputs that cannot be."""
    if (ckpt is None) == (pred is None):
        found = "none" if ckpt is None else "both"
        raise BadInput(f"give ckpt=FILE or pred=FOLDER, one of them, found {found}")
    given = str(ckpt or pred)
    if not weights_file(given).exists():
        raise BadInput(f"{given} does not exist")
    if perturbations and pred:
        raise BadInput("robustness=... changes what a network sees: give ckpt=, found pred=")
    files = [f"{out or beside(given, '-scores')}.{kind}" for kind in ("csv", "json")]
    if report:
        check_libraries()
        if Path(report).resolve() in [Path(file).resolve() for file in (given, *files)]:
            raise BadInput(f"report={report} would take the place of {report}: name another file")
        files.append(report)
    for path in curve_paths(Path(out or beside(given, "-scores"))) if perturbations else ():
        if path.exists() and not holds_curves(path):
            raise BadInput(f"{path} is there already and holds no curves: name another out=...")
    for file in files:
        check_writable(Path(file))


def check_writable(path: Path) -> None:
    """BadInput unless a file can be written there; leaves nothing but its folder."""
    if path.is_dir():
        raise BadInput(f"cannot write {path} (Is a directory)")
    with refusals_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()


def open_model_or_predictions(
    ckpt: str | None,
    pred: str | None,
    scenes: Scenes,
    rules: Rules,
    quantise: str,
    out: str | None,
    options: Mapping[str, Any],
) -> Evaluation:
    """Open a model file, or else a folder of predictions, to be scored on scenes.

    out: None writes beside the model or the folder. options: of a model, see `MODEL_OPTIONS`.
    Raises BadInput for what cannot be scored.
    """
    trimaps = None
    if rules.need_trimaps():
        trimaps = Trimaps(scenes.root / "trimap", scenes.names)
    files = [f for row in scenes.files for f in row if f]
    files += trimaps.files.values() if trimaps else []
    facts: dict[str, Any] = {"predictions": pred}
    changes: dict[str, Any] = {}  # what is to be other than the model's own
    if ckpt:
        model = open_model(ckpt, **options)
        predict = predict_with(model, quantise)
        cases: Cases = ComputedCases(scenes, predict, trimaps)
        answer = [*SETTINGS, "optimize"]
        answer += ["base_scale"] if model.scale != 1 else []
        changes = {k: options[k] for k in answer if options[k] is not None}
        device = model.device
        gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
        facts = {"model": ckpt, "sha256": sha256(weights_file(ckpt)), "device": gpu, **changes}
    else:
        predictions = Predictions(str(pred), scenes.names)
        predict, cases = None, StoredCases(scenes, predictions, quantise, trimaps)
        files += predictions.files
    sizes = sorted(set(scenes.sizes))
    first, last = (f"{W}x{H}" for H, W in (sizes[0], sizes[-1]))
    described = first if len(sizes) == 1 else f"{first} to {last}, {len(sizes)} sizes"
    facts |= {"data": scenes.root.name, "scenes": len(scenes), "sizes": described}
    facts |= {"quantise": quantise, **rules._asdict()}
    facts |= {"trimaps": trimaps.origin} if trimaps else {}
    facts |= {"versions": versions(), "hardware": hardware()}
    model_file = weights_file(ckpt) if ckpt else None
    key = run_key(model_file, files, rules._asdict(), quantise, changes, scenes.names)
    default = beside(ckpt or f"{pred}.x", f"-{scenes.root.name}")
    return Evaluation(scenes, cases, predict, rules, trimaps, Path(out or default), facts, key)


def evaluate(evaluation: Evaluation, threads: int | None = None, examples: int = 0) -> Scores:
    """Score every case, going on where a killed run was, and write the scores.

    threads: cases at a time, default one per core. examples: so many pictures of the best and of
    the worst mattes are kept beside the scores.
    """
    start = time.monotonic()
    cases, rules, out = evaluation.cases, evaluation.rules, evaluation.out
    with evaluation.partial_scores() as partial:
        if before := len(partial.entries):
            count = len(cases.names)
            say(f"going on after {before} of {count} pictures that an earlier run scored")
        scores = score_cases(cases, rules, threads=threads, partial=partial)
        seconds = round(time.monotonic() - start, 1)
        scores.facts = evaluation.facts | {"seconds": seconds, "resumed_after": before}
        write_scores(scores, out)
    if examples:
        scores.facts["examples"] = save_examples(cases, evaluation.scenes, scores, out, examples)
    return scores


def evaluate_curves(evaluation: Evaluation, perturbations: Sequence[str]) -> Curves:
    """Score a model on perturbed scenes, going on where a killed run was; {} for none."""
    if evaluation.predict is None or not perturbations:
        return {}
    scenes, predict, rules = evaluation.scenes, evaluation.predict, evaluation.rules
    with evaluation.partial_scores("-robustness") as partial:
        trimaps = evaluation.trimaps
        return score_curves(scenes, predict, perturbations, rules, trimaps, partial=partial)
