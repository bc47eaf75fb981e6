"""What is scored: a prediction and its truth, of a network, a trivial matte or a folder."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from bgm.data import Scenes
from bgm.errors import BadInput
from bgm.eval.stored_pictures import Predictions, Trimaps
from bgm.infer.any_size import run_any_size
from bgm.infer.models import Model
from bgm.pictures import read_picture, to_uint8
from bgm.types import Batch

Prediction = tuple[np.ndarray, np.ndarray | None]  # pha (H, W) and fgr (3, H, W)
Predict = Callable[[Batch], Prediction]  # of one unbatched scene
QUANTISE = ("round", "floor", "none")


class Case(NamedTuple):
    """One prediction and its truth; a prediction is uint8, or float in [0, 1] if not quantised."""

    pha: np.ndarray  # (H, W)
    fgr: np.ndarray | None  # (3, H, W)
    true: np.ndarray  # (H, W) uint8
    true_fgr: np.ndarray | None  # (3, H, W) uint8, where it is known
    trimap: np.ndarray | None  # (H, W) uint8


class Cases(Protocol):
    """Named cases, made when they are asked for, by several threads at a time."""

    @property
    def names(self) -> Sequence[str]: ...

    def __getitem__(self, index: int) -> Case: ...


class ComputedCases:
    """Cases of scenes (anything with names that gives unbatched Batches), predicted when asked."""

    def __init__(self, scenes: Any, predict: Predict, trimaps: Trimaps | None = None) -> None:
        self.scenes, self.predict, self.trimaps = scenes, predict, trimaps
        self.names: Sequence[str] = scenes.names

    def __getitem__(self, index: int) -> Case:
        scene = self.scenes[index]
        pha, fgr = self.predict(scene)
        true = to_uint8(scene.pha[0]).numpy()
        true_fgr = to_uint8(scene.fgr).numpy() if scene.has_fgr and fgr is not None else None
        trimap = self.trimaps(self.names[index], true) if self.trimaps else None
        return Case(pha, None if true_fgr is None else fgr, true, true_fgr, trimap)


class StoredCases:
    """Cases of scenes whose predictions another tool left in a folder; src and bgr stay unread."""

    def __init__(
        self,
        scenes: Scenes,
        predictions: Predictions,
        quantise: str = "round",
        trimaps: Trimaps | None = None,
    ) -> None:
        self.scenes, self.predictions, self.trimaps = scenes, predictions, trimaps
        self.quantise, self.names = quantise, scenes.names

    def __getitem__(self, index: int) -> Case:
        name = self.names[index]
        pha, fgr = self.predictions(name)
        _, _, pha_file, fgr_file = self.scenes.files[index]
        pha = quantise(pha, self.quantise, "pha")
        true = read_picture(pha_file, "L")[0].numpy()
        trimap = self.trimaps(name, true) if self.trimaps else None
        if fgr is None or fgr_file is None:
            return Case(pha, None, true, None, trimap)
        true_fgr = self.predictions.true_fgr(name, fgr_file)
        return Case(pha, quantise(fgr, self.quantise, "fgr"), true, true_fgr, trimap)


def predict_with(model: Model, how: str = "round") -> Predict:
    """A function that mattes one scene with a network, one at a time; how: see `quantise`."""
    lock = threading.Lock()  # called by threads, but the network has all cores or a GPU to itself

    def predict(scene: Batch) -> Prediction:
        src, bgr = (x[None].to(model.device) for x in (scene.src, scene.bgr))
        with lock:
            out = run_any_size(model.net, src, bgr, scale=model.scale)
        pha, fgr = (x[0].float().cpu() for x in (out.pha, out.fgr))
        return quantise(pha[0], how, "pha"), quantise(fgr, how, "fgr")

    return predict


def quantise(x: np.ndarray | torch.Tensor, how: str, name: str) -> np.ndarray:
    """A float tensor or array in [0, 1] in 8 bits, rounded or floored, or as it is ("none").

    uint8 stays. Raises BadInput, with a count, for values that are NaN or infinite.
    """
    if how not in QUANTISE:
        raise BadInput(f"quantise={how} is unknown, expected one of {', '.join(QUANTISE)}")
    x = x.numpy(force=True) if isinstance(x, torch.Tensor) else x
    if x.dtype == np.uint8:
        return x
    if wrong := int((~np.isfinite(x)).sum()):
        raise BadInput(f"{name} holds {wrong} values that are NaN or infinite")
    if how == "none":
        return x
    levels = x.astype(np.float32).clip(0, 1) * 255
    return (np.rint(levels) if how == "round" else np.floor(levels)).astype(np.uint8)
