"""The trivial mattes that a network has to beat, scored like one."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bgm.console import tracked
from bgm.eval.cases import Matted
from bgm.eval.scoring import Rules, score_scenes
from bgm.metrics import Scores, all_zero, best_key
from bgm.pictures import to_uint8
from bgm.types import Batch


def score_baselines(
    scenes: Any, protocol: str, wanted: bool = True, *, rules: Rules | None = None
) -> dict[str, Scores]:
    """The trivial mattes: nothing, and background-difference keys tuned on these very scenes."""
    if not wanted:
        return {}
    found = best_key(_eight_bit_scenes(scenes))
    mattes = {"all_zero": all_zero} | {kind: f.key for kind, f in found.items() if kind != "best"}
    return {
        name: score_scenes(scenes, trivial(key), protocol, name, rules=rules)
        for name, key in mattes.items()
    }


def trivial(key: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Batch], Matted]:
    """A key on (src, bgr) as a function of a scene."""
    return lambda scene: (key(*(to_uint8(x).numpy() for x in scene[:2])), None)


def _eight_bit_scenes(scenes: Any) -> Iterator[tuple[np.ndarray, ...]]:
    for index in tracked(range(len(scenes.names)), "searching keys"):
        yield tuple(to_uint8(x).numpy() for x in scenes[index][:3])
