"""The frame before each frame of a clip, for the metrics over time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from bgm.compose import by_clip

KEPT = 32  # frames: more than are scored at a time
Pair = tuple[np.ndarray, np.ndarray]  # pred and true pha, (H, W)


class PreviousFrames:
    """The mattes before each frame of scenes whose names say that they are clips ("walk/0000").

    compute: makes the mattes of an index anew, if they are not among the last `KEPT` that were put
    (a resumed run; threads that finish in another order). May be used by many threads.
    """

    def __init__(self, names: Sequence[str], compute: Callable[[int], Pair]) -> None:
        self._before: dict[int, int | None] = {}  # no entry: the picture is no frame of a clip
        index = {name: number for number, name in enumerate(names)}
        clips = by_clip({name: index[name] for name in names if "/" in name})
        for frames in clips.values():
            if len(frames) > 1:
                self._before |= dict(zip(frames, [None, *frames], strict=False))
        self._compute, self._lock = compute, threading.Lock()
        self._pairs: OrderedDict[int, Pair] = OrderedDict()

    def put(self, index: int, pred: np.ndarray, true: np.ndarray) -> None:
        """Keep a frame's mattes for the frame after it."""
        if index in self._before:
            with self._lock:
                self._pairs[index] = pred, true
                if len(self._pairs) > KEPT:
                    self._pairs.popitem(last=False)

    def is_first(self, index: int) -> bool:
        """Whether a picture is the first frame of a clip."""
        return self._before.get(index, index) is None

    def frame_before(self, index: int) -> Pair | None:
        """The mattes of the frame before this one; None where there is none."""
        before = self._before.get(index)
        return None if before is None else self._pair(before)

    def _pair(self, index: int) -> Pair:
        with self._lock:
            kept = self._pairs.get(index)
        return self._compute(index) if kept is None else kept
