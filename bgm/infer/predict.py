"""The loop from frames to files: fix the plate, run the network, write, all at the same time."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing
from typing import Protocol

import torch
from torch import Tensor

from bgm.infer.any_size import Matte, Network, run_any_size
from bgm.infer.plate.align import Alignment, align, move
from bgm.infer.plate.exposure import MISMATCH, match_exposure, mismatch
from bgm.infer.prefetch import BackgroundWriter, prefetch
from bgm.infer.sources import Frame
from bgm.model import OptimizedRefine
from bgm.model.coarse import CoarseAtMost
from bgm.model.optimize import Plate
from bgm.types import Coarse, Refined

PlateFix = Callable[[Frame], tuple[Tensor, str]]  # the new plate, and one sentence about it


class Sink(AbstractContextManager, Protocol):
    """Takes one frame and its matte at a time; leaving the block with an error drops the rest."""

    def write(self, frame: Frame, matte: Matte) -> None: ...


def predict(
    net: Network,
    frames: Iterable[Frame],
    sink: Sink,
    *,
    fixes: Iterable[PlateFix] = (),
    device: str | torch.device = "cpu",
    scale: float = 1.0,
    say: Callable[[str], None] = print,
) -> int:
    """Matte every frame into the sink; returns the number of frames.

    fixes: of the plate, such as `AlignPlate()` and `fix_exposure`, in their order. say: takes their
    sentences, and a warning when the plate does not match its shot (`mismatch` above `MISMATCH`);
    each is said once for a video. scale: see `run_any_size`.
    """
    fixes, count = list(fixes), 0
    said: set[tuple[object, str]] = set()

    def say_once(about: object, frame: Frame, sentence: str) -> None:
        if (about, frame.name) not in said:
            said.add((about, frame.name))
            say(f"{frame.name}: {sentence}")

    net = StillPlate(net)
    last, plate = torch.empty(0), torch.empty(0)  # as it was read, and on the device
    with sink, BackgroundWriter(sink.write) as write, closing(prefetch(frames)) as reader:
        for frame in reader:
            for fix in fixes:
                bgr, sentence = fix(frame)
                frame = frame._replace(bgr=bgr)
                say_once(fix, frame, sentence)
            number = mismatch(frame.src, frame.bgr)
            if number > MISMATCH:
                say_once("mismatch", frame, mismatch_warning(number))
            if frame.bgr is not last:
                last, plate = frame.bgr, as_input(frame.bgr, device)
            write(frame, run_any_size(net, as_input(frame.src, device), plate, scale=scale))
            count += 1
    return count


def as_input(picture: Tensor, device: str | torch.device) -> Tensor:
    """A picture (3, H, W) uint8 as (1, 3, H, W) in [0, 1] on a device."""
    return picture[None].to(device).float() / 255


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

    def __call__(self, frame: Frame) -> tuple[Tensor, str]:
        known = self._alignment
        if known is None or frame.time is None or self._name != frame.name:
            first = align(frame.src, frame.bgr)
            self._name, self._alignment = frame.name, first
            return first.bgr, first.reason
        bgr = frame.bgr if known.kept else move(frame.src, frame.bgr, known.homography)
        return bgr, known.reason


def fix_exposure(frame: Frame) -> tuple[Tensor, str]:
    """The frame's plate with the exposure of its shot, see `match_exposure`."""
    exposure = match_exposure(frame.src, frame.bgr)
    return exposure.bgr, exposure.reason


def mismatch_warning(number: float) -> str:
    """What to say about a plate whose mismatch is too large."""
    return (
        f"warning: the plate does not match the shot (mismatch {number:.2f}, expected at most"
        f" {MISMATCH}): is it of this scene, taken with the same camera and position?"
    )
