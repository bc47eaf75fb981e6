"""What is scored: a prediction and its truth, from a network, a trivial matte or a folder."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from bgm.data import Scenes
from bgm.errors import BadInput
from bgm.eval.trimaps import Trimaps
from bgm.infer.matte import matte
from bgm.infer.models import Model
from bgm.pictures import read_picture, to_uint8
from bgm.types import Batch

Matted = tuple[np.ndarray, np.ndarray | None]  # pha (H, W) and fgr (3, H, W)
QUANTISE = ("round", "floor", "none")


class Case(NamedTuple):
    """One prediction and its truth; a prediction is uint8, or float in [0, 1] if not quantised."""

    pha: np.ndarray  # (H, W)
    fgr: np.ndarray | None  # (3, H, W)
    true: np.ndarray  # (H, W) uint8
    true_fgr: np.ndarray | None  # (3, H, W) uint8, where it is known
    trimap: np.ndarray | None  # (H, W) uint8


class Cases(Protocol):
    """Named cases, made when they are asked for."""

    names: Sequence[str]

    def __getitem__(self, index: int) -> Case: ...


def quantised(x: Any, how: str, what: str) -> np.ndarray:
    """A float tensor or array in [0, 1] in 8 bits, rounded or floored, or as it is ("none").

    uint8 stays. Raises BadInput, with a count, for values that are NaN or infinite: in 8 bits
    they would look like any other.
    """
    if how not in QUANTISE:
        raise BadInput(f"quantise={how} is unknown, expected one of {', '.join(QUANTISE)}")
    x = x.detach().cpu().numpy() if hasattr(x, "detach") else np.asarray(x)
    if x.dtype == np.uint8:
        return x
    if wrong := int((~np.isfinite(x)).sum()):
        raise BadInput(f"{what} holds {wrong} values that are NaN or infinite")
    if how == "none":
        return x
    levels = x.astype(np.float32).clip(0, 1) * 255
    return (np.rint(levels) if how == "round" else np.floor(levels)).astype(np.uint8)


def by_network(model: Model, quantise: str = "round") -> Callable[[Batch], Matted]:
    """Matte one unbatched scene with a network, one at a time; see `quantised`."""
    lock = threading.Lock()  # scored in threads, but the network has all cores or a GPU to itself

    def run(scene: Batch) -> Matted:
        src, bgr = (x[None].to(model.device) for x in (scene.src, scene.bgr))
        with lock:
            found = matte(model.net, src, bgr, scale=model.scale)
        pha, fgr = (x[0].float().cpu() for x in (found.pha, found.fgr))
        return quantised(pha[0], quantise, "pha"), quantised(fgr, quantise, "fgr")

    return run


class MattedScenes:
    """Cases of scenes (anything with names that gives Batches), matted by a function of a Batch."""

    def __init__(
        self, scenes: Any, run: Callable[[Batch], Matted], trimaps: Trimaps | None = None
    ) -> None:
        self.scenes, self.run, self.trimaps, self.names = scenes, run, trimaps, scenes.names

    def __getitem__(self, index: int) -> Case:
        scene = self.scenes[index]
        pha, fgr = self.run(scene)
        known = fgr is not None and bool(scene.has_fgr)
        true = to_uint8(scene.pha[0]).numpy()
        true_fgr = to_uint8(scene.fgr).numpy() if known else None
        trimap = self.trimaps and self.trimaps(self.names[index], true)
        return Case(pha, fgr if known else None, true, true_fgr, trimap)


class PredictedScenes:
    """Cases of scenes whose predictions another tool left in a folder; src and bgr stay unread.

    predictions: see `bgm.eval.predictions.Predictions`.
    """

    def __init__(
        self, scenes: Scenes, predictions: Any, quantise: str, trimaps: Trimaps | None = None
    ) -> None:
        self.scenes, self.predictions, self.trimaps = scenes, predictions, trimaps
        self.quantise, self.names = quantise, scenes.names

    def __getitem__(self, index: int) -> Case:
        name = self.names[index]
        pha, fgr = self.predictions(name)
        _, _, pha_file, fgr_file = self.scenes.files[index]
        true = read_picture(pha_file, "L")[0].numpy()
        known = fgr is not None and fgr_file is not None
        return Case(
            quantised(pha, self.quantise, "pha"),
            quantised(fgr, self.quantise, "fgr") if known else None,
            true,
            read_picture(fgr_file).numpy() if known else None,
            self.trimaps and self.trimaps(name, true),
        )
