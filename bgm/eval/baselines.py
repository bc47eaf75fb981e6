"""The trivial mattes that a network has to beat, scored like one."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bgm.console import tracked
from bgm.eval.cases import ComputedCases, Prediction
from bgm.eval.scoring import Rules, score_cases
from bgm.eval.stored_pictures import Trimaps
from bgm.metrics import Scores, all_zero, tune_keys
from bgm.pictures import to_uint8
from bgm.types import Batch


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
