"""Small pictures of the best and the worst mattes, kept beside the scores for the report."""

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from bgm.data import Scenes
from bgm.eval.cases import Case, Cases, quantise
from bgm.metrics import Scores
from bgm.pictures import read_picture, write_png

LONG_SIDE = 256  # pixels: what bounds the size of a report
KINDS = ("src", "bgr", "true", "pred", "error")


def save_examples(
    cases: Cases, scenes: Scenes, scores: Scores, out: Path, number: int
) -> list[dict[str, Any]]:
    """Write out-pictures/RANK-{src,bgr,true,pred,error}.png, the worst and best `number` of each.

    Ranked by the protocol's first metric. Returns what the JSON says of them.
    """
    folder = out.with_name(f"{out.name}-pictures")
    shutil.rmtree(folder, ignore_errors=True)  # an earlier run's
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
