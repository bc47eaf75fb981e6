"""The trivial mattes that a network has to beat, scored like one."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bgm.console import tracked
from bgm.eval.cases import ComputedCases, Predict
from bgm.eval.scoring import Rules, score_cases
from bgm.eval.trimaps import Trimaps
from bgm.metrics import Scores, all_zero, tune_keys
from bgm.pictures import to_uint8


def score_baselines(
    scenes: Any, rules: Rules | None = None, trimaps: Trimaps | None = None
) -> dict[str, Scores]:
    """Scores of nothing, and of background-difference keys tuned on these very scenes."""
    tuned = tune_keys(_eight_bit(scenes))
    keys = {"all_zero": all_zero} | {kind: t.key for kind, t in tuned.items() if kind != "best"}
    return {
        name: score_cases(ComputedCases(scenes, predict_by(key), trimaps), rules or Rules(), name)
        for name, key in keys.items()
    }


def predict_by(key: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Predict:
    """A key on (src, bgr), 8 bits, as a function of a scene."""
    return lambda scene: (key(*(to_uint8(x).numpy() for x in scene[:2])), None)


def _eight_bit(scenes: Any) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """src, bgr and pha of every scene."""
    for index in tracked(range(len(scenes.names)), "tuning keys"):
        src, bgr, pha = (to_uint8(x).numpy() for x in scenes[index][:3])
        yield src, bgr, pha
