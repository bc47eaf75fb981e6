"""The loop from frames to files: mend the plate, run the network, write, all overlapping."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor

from bgm.infer.matte import Matte, Network, matte
from bgm.infer.plate.align import Alignment, align, move
from bgm.infer.plate.exposure import MISMATCH, match_exposure, mismatch
from bgm.infer.prefetch import Behind, ahead
from bgm.infer.sources import Frame


class Sink(AbstractContextManager, Protocol):
    """Takes one frame and its matte at a time; leaving the block with an error drops the rest."""

    def write(self, frame: Frame, found: Matte) -> None: ...


def predict(
    net: Network,
    frames: Iterable[Frame],
    sink: Sink,
    *,
    mend: Iterable[Callable[[Frame], tuple[Tensor, str]]] = (),
    device: str | torch.device = "cpu",
    scale: float = 1.0,
    say: Callable[[str], None] = print,
) -> int:
    """Matte every frame into the sink; returns the number of frames.

    mend: steps such as `Aligned()` and `exposed` that are given a frame and return its new plate
    and one sentence about it. say: takes those sentences, and a warning when the plate does not
    match its shot (`mismatch` above `MISMATCH`); each is said once for a video. scale: see `matte`.
    """
    steps, count, said = list(mend), 0, set()

    def tell(about: object, frame: Frame, sentence: str) -> None:
        if (about, frame.name) not in said:
            said.add((about, frame.name))
            say(f"{frame.name}: {sentence}")

    reading = ahead(frames)
    with sink, Behind(sink.write) as write:
        try:
            for frame in reading:
                for step in steps:
                    bgr, sentence = step(frame)
                    frame = frame._replace(bgr=bgr)
                    tell(step, frame, sentence)
                number = mismatch(frame.src, frame.bgr)
                if number > MISMATCH:
                    tell("mismatch", frame, warning(number))
                pair = (x[None].to(device).float() / 255 for x in (frame.src, frame.bgr))
                write(frame, matte(net, *pair, scale=scale))
                count += 1
        finally:
            reading.close()
    return count


class Aligned:
    """Moves the plate onto the shot, see `align`; once for all frames of a video.

    A video's camera is expected to stand: one movement for all its frames does not tremble.
    """

    def __init__(self) -> None:
        self._first: tuple[str, Alignment] | None = None

    def __call__(self, frame: Frame) -> tuple[Tensor, str]:
        if frame.time is None or self._first is None or self._first[0] != frame.name:
            found = align(frame.src, frame.bgr)
            self._first = (frame.name, found)
            return found.bgr, found.reason
        found = self._first[1]
        bgr = frame.bgr if found.kept else move(frame.src, frame.bgr, found.homography)
        return bgr, found.reason


def exposed(frame: Frame) -> tuple[Tensor, str]:
    """The frame's plate with the exposure of its shot, see `match_exposure`."""
    found = match_exposure(frame.src, frame.bgr)
    return found.bgr, found.reason


def warning(number: float) -> str:
    """What to tell about a plate whose mismatch is too large."""
    return (
        f"warning: the plate does not match the shot (mismatch {number:.2f}, expected at most"
        f" {MISMATCH}): is it of this scene, taken with the same camera and position?"
    )
