"""The loop from frames to files: fix the plate, run the network, write, all at the same time."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from bgm.errors import BadInput, first_line
from bgm.infer.any_size import Matte, Network, run_any_size
from bgm.infer.foreground import MatteStep, network_foreground
from bgm.infer.frame import Frame, Shot, undefined_numbers
from bgm.infer.memory import PLANS, MemoryPlan, no_memory
from bgm.infer.plate.exposure import MISMATCH, mismatch
from bgm.infer.plate.fixes import PlateFix
from bgm.infer.prefetch import BackgroundWriter, in_order, prefetch
from bgm.infer.sources import Broken
from bgm.model import OptimizedRefine
from bgm.model.optimize import CoarseAtMost, Plate
from bgm.types import Coarse, Refined

FASTEST = next(iter(PLANS))


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
    plan: MemoryPlan = FASTEST,
    at_once: int = 1,
    smaller_foreground: MatteStep | None = None,
    broken: Broken | None = None,
) -> int:
    """Matte every frame into the sink; returns the number of frames.

    fixes: of the plate, see `bgm.infer.plate.fixes`, in their order. steps: change mattes, in their
    order (`bgm.infer.steps`), whose foreground is still what the network sees (sRGB codes);
    foreground comes last and brings it to the shot's own encoding. say: takes the fixes' sentences,
    and a warning when the plate does not match its shot (`mismatch` above `MISMATCH`); each is said
    once for a video. scale: see `run_any_size`. check: is called before each frame, and raises what
    is to end the run, see `bgm.signals`. plan: see `plan_memory`. at_once: frames that net computes
    at a time, see `Model.frames_at_once`. What runs out of memory is said and tried once more: the
    network without what it keeps, the foreground as smaller_foreground. broken: takes single frames
    for which a step raises BadInput, as for a drawn matte that is broken; they are left out.
    """
    fixes, steps, count = list(fixes), list(steps), 0
    said: set[tuple[object, str]] = set()

    def say_once(about: object, frame: Frame, sentence: str) -> None:
        if sentence and (about, frame.name) not in said:
            said.add((about, frame.name))
            say(f"{frame.name}: {sentence}")

    def or_smaller(name: str, run: Callable[[], Matte], smaller: Callable[[], Matte]) -> Matte:
        try:
            return run()
        except (RuntimeError, MemoryError) as error:
            if not no_memory(error):
                raise
            sentence = first_line(error)
        say(f"{name}: out of memory ({sentence}): once more with less at a time")
        still.forget()
        return smaller()

    still = StillPlate(net, plan.keep_plate)
    last: tuple[Shot, Tensor] | None = None  # the last plate, and what of it is on the device

    def fixed(frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            check()
            for what, shot in (("shot", frame.src), ("plate", frame.bgr)):
                if shot.undefined and (what, "") not in said:
                    said.add((what, ""))  # a fault of the renderer is in every frame
                    sentence = undefined_numbers(what, shot.undefined)
                    say(f"{frame.name}: {sentence}, in later frames too")
            for fix in fixes:
                bgr, sentence = fix(frame)
                frame = frame._replace(bgr=bgr)
                say_once(fix, frame, sentence)
            number = mismatch(frame.src.seen, frame.bgr.seen)
            if number > MISMATCH:
                say_once("mismatch", frame, mismatch_warning(number))
            yield frame
            del frame  # not beside the next one

    def seen(frame: Frame) -> Matte:
        nonlocal last
        plate = last  # read once: another thread may exchange it
        if plate is None or plate[0] is not frame.bgr:
            plate = frame.bgr, frame.bgr.input_on(device)
            last = plate if plan.keep_plate else None
        run = partial(run_any_size, still, frame.src.input_on(device), plate[1], scale=scale)
        return or_smaller(frame.name, run, run)

    with (
        sink,
        BackgroundWriter(sink.write, plan.waiting) as write,
        closing(prefetch(frames, plan.waiting)) as reader,
        closing(in_order(seen, fixed(reader), at_once)) as mattes,
    ):
        for frame, matte in mattes:
            try:
                for step in steps:
                    matte = step(frame, matte)
            except BadInput as error:
                if broken is None:
                    raise
                broken(frame.name, error)
                continue
            smaller = partial(smaller_foreground or foreground, frame, matte)
            matte = or_smaller(frame.name, partial(foreground, frame, matte), smaller)
            del smaller
            write(frame, matte)
            del matte, frame  # not beside the next ones
            count += 1
    return count


class StillPlate:
    """A network whose frames may share a plate: what depends on it alone is then computed once.

    Several threads may call it: a plate and what is known of it are exchanged as one.
    """

    def __init__(self, net: Network, keep: bool = True) -> None:
        self.net, self.keep = net, keep
        self._last: tuple[Tensor, Plate | None] | None = None

    def __call__(self, src: Tensor, bgr: Tensor) -> Coarse | Refined:
        net, last = self.net, self._last
        net = net.fitting(src) if isinstance(net, CoarseAtMost) else net
        if not (self.keep and isinstance(net, OptimizedRefine)):
            return net(src, bgr)
        if last is None or last[0] is not bgr:  # a plate that is seen once is not worth the work
            self._last = bgr, None
            return net(src, bgr)
        plate = net.plate(bgr) if last[1] is None else last[1]
        self._last = bgr, plate
        return net(src, plate)

    def forget(self) -> None:
        """Keep nothing of a plate from now on, and give back what a device holds unused."""
        self.keep, self._last = False, None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def mismatch_warning(number: float) -> str:
    """What to say about a plate whose mismatch is too large."""
    return (
        f"warning: the plate does not match the shot (mismatch {number:.2f}, expected at most"
        f" {MISMATCH}): is it of this scene, taken with the same camera and position?"
    )
