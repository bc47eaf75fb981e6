"""The loop from frames to files: fix the plate, run the network, write, all at the same time."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing
from typing import Protocol

import torch
from torch import Tensor

from bgm.infer.any_size import Matte, Network, run_any_size
from bgm.infer.foreground import network_foreground
from bgm.infer.frame import Frame, Shot
from bgm.infer.plate.exposure import MISMATCH, mismatch
from bgm.infer.prefetch import BackgroundWriter, prefetch
from bgm.model import OptimizedRefine
from bgm.model.coarse import CoarseAtMost
from bgm.model.optimize import Plate
from bgm.types import Coarse, Refined

PlateFix = Callable[[Frame], tuple[Shot, str]]  # the new plate, and a sentence about it, or none
MatteStep = Callable[[Frame, Matte], Matte]  # what is done to a matte before it is written


class Sink(AbstractContextManager, Protocol):
    """Takes one frame and its matte at a time; leaving the block with an error drops the rest."""

    def write(self, frame: Frame, matte: Matte) -> None: ...


def predict(
    net: Network,
    frames: Iterable[Frame],
    sink: Sink,
    *,
    fixes: Iterable[PlateFix] = (),
    steps: Iterable[MatteStep] = (),
    foreground: MatteStep = network_foreground,
    device: str | torch.device = "cpu",
    scale: float = 1.0,
    say: Callable[[str], None] = print,
    check: Callable[[], None] = lambda: None,
) -> int:
    """Matte every frame into the sink; returns the number of frames.

    fixes: of the plate, see `bgm.infer.plate.fixes`, in their order. steps: change mattes, in their
    order (`bgm.infer.steps`), whose foreground is still what the network sees (sRGB codes);
    foreground comes last and brings it to the shot's own encoding. say: takes the fixes' sentences,
    and a warning when the plate does not match its shot (`mismatch` above `MISMATCH`); each is said
    once for a video. scale: see `run_any_size`. check: is called before each frame, and raises what
    is to end the run, see `StopOnSignal`.
    """
    fixes, steps, count = list(fixes), [*steps, foreground], 0
    said: set[tuple[object, str]] = set()

    def say_once(about: object, frame: Frame, sentence: str) -> None:
        if sentence and (about, frame.name) not in said:
            said.add((about, frame.name))
            say(f"{frame.name}: {sentence}")

    net = StillPlate(net)
    last: Shot | None = None
    plate = torch.empty(0)  # the last one on the device
    with sink, BackgroundWriter(sink.write) as write, closing(prefetch(frames)) as reader:
        for frame in reader:
            check()
            for fix in fixes:
                bgr, sentence = fix(frame)
                frame = frame._replace(bgr=bgr)
                say_once(fix, frame, sentence)
            number = mismatch(frame.src.display8, frame.bgr.display8)
            if number > MISMATCH:
                say_once("mismatch", frame, mismatch_warning(number))
            if frame.bgr is not last:
                last, plate = frame.bgr, frame.bgr.input_on(device)
            matte = run_any_size(net, frame.src.input_on(device), plate, scale=scale)
            for step in steps:
                matte = step(frame, matte)
            write(frame, matte)
            count += 1
    return count


class StillPlate:
    """A network whose frames may share a plate: what depends on it alone is then computed once."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self._bgr: Tensor | None = None
        self._plate: Plate | None = None

    def __call__(self, src: Tensor, bgr: Tensor) -> Coarse | Refined:
        net = self.net.fitting(src) if isinstance(self.net, CoarseAtMost) else self.net
        if not isinstance(net, OptimizedRefine):
            return net(src, bgr)
        if bgr is not self._bgr:  # a plate that is seen once is not worth the work
            self._bgr, self._plate = bgr, None
            return net(src, bgr)
        if self._plate is None:
            self._plate = net.plate(bgr)
        return net(src, self._plate)


def mismatch_warning(number: float) -> str:
    """What to say about a plate whose mismatch is too large."""
    return (
        f"warning: the plate does not match the shot (mismatch {number:.2f}, expected at most"
        f" {MISMATCH}): is it of this scene, taken with the same camera and position?"
    )
