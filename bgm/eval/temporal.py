"""Scores over time: dtSSD of scenes whose names say that they are frames of clips."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from bgm.compose import by_clip
from bgm.metrics import dtssd

KEPT = 32  # frames: more than are scored at a time
Pair = tuple[np.ndarray, np.ndarray]  # pred and true pha, (H, W)


class Temporal:
    """dtSSD of frames, each against the one before it in its clip ("walk/0000", "walk/0001").

    Rows have `dtssd`, which is 0 for a first frame, as RobustVideoMatting counts it, and
    `dtssd_pairs` for all other frames: its mean is the one over pairs. Their plain means over all
    pictures are RVM's means over clips where the clips have one length.
    again: makes the pair of an index anew, if it is not among the last `KEPT` that were put (a
    resumed run; threads that finish in another order). May be used by many threads.
    """

    def __init__(self, names: Sequence[str], again: Callable[[int], Pair]) -> None:
        self.before: dict[int, int | None] = {}  # none for pictures that are no clip's
        index = {name: number for number, name in enumerate(names)}
        clips = by_clip({name: index[name] for name in names if "/" in name})
        for frames in clips.values():
            if len(frames) > 1:
                self.before |= dict(zip(frames, [None, *frames], strict=False))
        self._again, self._lock = again, threading.Lock()
        self._pairs: OrderedDict[int, Pair] = OrderedDict()

    def put(self, index: int, pred: np.ndarray, true: np.ndarray) -> None:
        """Keep a frame's mattes for the frame after it."""
        if index in self.before:
            with self._lock:
                self._pairs[index] = pred, true
                if len(self._pairs) > KEPT:
                    self._pairs.popitem(last=False)

    def row(self, index: int) -> dict[str, float]:
        """The temporal scores of a frame that was put; {} for a picture that is no frame."""
        if index not in self.before:
            return {}
        before = self.before[index]
        if before is None:
            return {"dtssd": 0.0}
        (p, t), (q, u) = self._pair(before), self._pair(index)
        value = dtssd([p, q], [t, u]).per_frame[1]
        return {"dtssd": value, "dtssd_pairs": value}

    def _pair(self, index: int) -> Pair:
        with self._lock:
            found = self._pairs.get(index)
        return self._again(index) if found is None else found
