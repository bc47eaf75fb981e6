"""Small pictures of the best and the worst mattes, kept beside the scores for the report."""

import math
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from bgm.data import Scenes
from bgm.eval.cases import Case, Cases
from bgm.metrics import Scores
from bgm.pictures import read_picture, write_png

LONG_SIDE = 256  # pixels: what bounds the size of a report
KINDS = ("src", "bgr", "true", "pred", "error")


def save_examples(
    cases: Cases, scenes: Scenes, scores: Scores, out: Path, number: int
) -> list[dict[str, Any]]:
    """Write out-pictures/RANK-{src,bgr,true,pred,error}.png, the worst and best `number` of each.

    Ranked by the first of mad, mse and sad that there is. Returns what the JSON says of them.
    """
    folder = out.with_name(f"{out.name}-pictures")
    shutil.rmtree(folder, ignore_errors=True)  # an earlier run's
    metric = next(m for m in ("mad", "mse", "sad") if m in scores.metrics)
    found = []
    for rank, name in ranked(scores, metric, number):
        index = scenes.names.index(name)
        for kind, picture in pictures_of(cases[index], scenes.files[index]).items():
            write_png(folder / f"{rank}-{kind}.png", torch.from_numpy(picture.transpose(2, 0, 1)))
        value = scores.rows[name][metric]
        found.append({"name": name, "rank": rank, "metric": metric, "value": value})
    return found


def ranked(scores: Scores, metric: str, number: int) -> list[tuple[str, str]]:
    """(worst-1, name), ..., (best-1, name), ...: no picture twice."""
    values = {n: row[metric] for n, row in scores.rows.items() if not math.isnan(row[metric])}
    names = sorted(values, key=lambda name: -values[name])
    worst, rest = names[:number], names[number:]
    best = rest[::-1][:number]
    return [
        (f"{kind}-{i}", name)
        for kind, some in (("worst", worst), ("best", best))
        for i, name in enumerate(some, 1)
    ]


def pictures_of(case: Case, files: tuple[Path | None, ...]) -> dict[str, np.ndarray]:
    """Small pictures (h, w, 3 or 1) uint8 of one case, by kind."""
    src, bgr = (read_picture(f).numpy().transpose(1, 2, 0) for f in files[:2] if f)
    pred = case.pha if case.pha.dtype == np.uint8 else np.rint(case.pha * 255).astype(np.uint8)
    H, W = (min(sides) for sides in zip(pred.shape, case.true.shape, strict=True))
    pred, true = pred[:H, :W], case.true[:H, :W]  # a folder rule may have cropped one of them
    found = (src, bgr, true, pred, signed_error(pred, true))
    return dict(zip(KINDS, map(small, found), strict=True))


def signed_error(pred: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: white where both agree, red where pred is too high, blue too low."""
    wrong = pred.astype(np.int16) - true.astype(np.int16)
    high = (255 - wrong.clip(0)).astype(np.uint8)
    low = (255 + wrong.clip(None, 0)).astype(np.uint8)
    return np.stack([low, np.minimum(high, low), high], axis=-1)


def small(x: np.ndarray) -> np.ndarray:
    """At most LONG_SIDE pixels long, pixels averaged."""
    factor = min(1.0, LONG_SIDE / max(x.shape[:2]))
    size = [max(1, round(side * factor)) for side in x.shape[:2]]
    x = cv2.resize(x, size[::-1], interpolation=cv2.INTER_AREA)
    return np.atleast_3d(x)
