"""The frame before each frame of a clip, for the metrics over time."""

import threading
from collections import OrderedDict

import numpy as np

from bgm.compose import by_clip
from bgm.eval.cases import Cases

KEPT = 32  # frames: more than are scored at a time
PredAndTrue = tuple[np.ndarray, np.ndarray]  # pha (H, W)


class PreviousFrames:
    """The mattes before each frame of cases whose names say that they are clips ("walk/0000").

    Those that are not among the last `KEPT` that were put (a resumed run; threads that finish in
    another order) are taken from the cases again. May be used by many threads. cases: None for
    pictures that are no frames, whatever their names.
    """

    def __init__(self, cases: Cases | None) -> None:
        self._cases, self._lock = cases, threading.Lock()
        self._before: dict[int, int | None] = {}  # no entry: the picture is no frame of a clip
        self._kept: OrderedDict[int, PredAndTrue] = OrderedDict()
        names = cases.names if cases else ()
        clips = by_clip({name: index for index, name in enumerate(names) if "/" in name})
        for frames in clips.values():
            if len(frames) > 1:
                self._before |= dict(zip(frames, [None, *frames], strict=False))

    def put(self, index: int, pred: np.ndarray, true: np.ndarray) -> None:
        """Keep a frame's mattes for the frame after it."""
        if index in self._before:
            with self._lock:
                self._kept[index] = pred, true
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)

    def is_first(self, index: int) -> bool:
        """Whether a picture is the first frame of a clip."""
        return self._before.get(index, index) is None

    def frame_before(self, index: int) -> PredAndTrue | None:
        """The mattes of the frame before this one; None where there is none."""
        before = self._before.get(index)
        if before is None or self._cases is None:
            return None
        with self._lock:
            kept = self._kept.get(before)
        if kept is None:
            case = self._cases[before]
            kept = case.pha, case.true
        return kept
