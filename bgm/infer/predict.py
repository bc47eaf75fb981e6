"""The loop from frames to files: fix the plate, run the network, write, all at the same time."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgm.colour import from_linear, srgb_code, srgb_light, to_linear
from bgm.infer.any_size import Matte, Network, run_any_size
from bgm.infer.foreground import network_foreground
from bgm.infer.frame import Frame, Shot
from bgm.infer.plate.align import Alignment, align, move
from bgm.infer.plate.exposure import MISMATCH, Exposure, match_exposure, mismatch
from bgm.infer.prefetch import BackgroundWriter, prefetch
from bgm.model import OptimizedRefine
from bgm.model.coarse import CoarseAtMost
from bgm.model.optimize import Plate
from bgm.types import Coarse, Refined

PlateFix = Callable[[Frame], tuple[Shot, str]]  # the new plate, and one sentence about it
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
) -> int:
    """Matte every frame into the sink; returns the number of frames.

    fixes: of the plate, such as `AlignPlate()` and `fix_exposure`, in their order. steps: change
    mattes, in their order, whose foreground is still what the network sees (sRGB codes); foreground
    comes last and brings it to the shot's own encoding. say: takes the fixes' sentences, and a
    warning when the plate does not match its shot (`mismatch` above `MISMATCH`); each is said once
    for a video. scale: see `run_any_size`.
    """
    fixes, steps, count = list(fixes), [*steps, foreground], 0
    said: set[tuple[object, str]] = set()

    def say_once(about: object, frame: Frame, sentence: str) -> None:
        if (about, frame.name) not in said:
            said.add((about, frame.name))
            say(f"{frame.name}: {sentence}")

    net = StillPlate(net)
    last: Shot | None = None
    plate = torch.empty(0)  # the last one on the device
    with sink, BackgroundWriter(sink.write) as write, closing(prefetch(frames)) as reader:
        for frame in reader:
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


class AlignPlate:
    """Moves the plate onto the shot, see `align`; in the same way for all frames of a video.

    A video's camera is expected to stand: one movement for all its frames does not tremble.
    """

    def __init__(self) -> None:
        self._name = ""
        self._alignment: Alignment | None = None

    def __call__(self, frame: Frame) -> tuple[Shot, str]:
        known = self._alignment
        if known is None or frame.time is None or self._name != frame.name:
            known = align(frame.src.display8, frame.bgr.display8)
            self._name, self._alignment = frame.name, known
        return frame.bgr if known.kept else moved_plate(frame, known.homography), known.reason


def moved_plate(frame: Frame, homography: NDArray[np.float64]) -> Shot:
    """The frame's plate through a homography, in its own numbers; outside of it, the shot."""
    src, bgr = frame.src.stored, frame.bgr.stored
    if not src.dtype == bgr.dtype == torch.uint8:
        src, bgr = frame.src.values, frame.bgr.values
    return frame.bgr.with_stored(move(src, bgr, homography))


def fix_exposure(frame: Frame) -> tuple[Shot, str]:
    """The frame's plate with the exposure of its shot, see `match_exposure`."""
    exposure = match_exposure(frame.src.display8, frame.bgr.display8)
    return exposed_plate(frame.bgr, exposure), exposure.reason


def exposed_plate(bgr: Shot, exposure: Exposure) -> Shot:
    """A plate with the gain and bias that were found, in its own encoding."""
    if exposure.kept:
        return bgr
    if bgr.shown_as_stored:
        return bgr.with_stored(exposure.bgr)
    gain, bias = (torch.tensor(x).view(3, 1, 1) for x in (exposure.gain, exposure.bias))
    code = srgb_code(to_linear(bgr.values, bgr.encoding)) * gain + bias
    return bgr.with_stored(from_linear(srgb_light(code), bgr.encoding))


def mismatch_warning(number: float) -> str:
    """What to say about a plate whose mismatch is too large."""
    return (
        f"warning: the plate does not match the shot (mismatch {number:.2f}, expected at most"
        f" {MISMATCH}): is it of this scene, taken with the same camera and position?"
    )
