"""The frames of one shot on their way: which are left to do, which are done, which failed."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any

from bgm.console import tracked
from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.frame import Frame
from bgm.infer.frame_reports import Failures, FrameReports
from bgm.infer.options import open_frames
from bgm.infer.output_record import OutputRecord, whole_frames
from bgm.infer.predict import Sink
from bgm.infer.shot_list import ListedShot
from bgm.infer.sinks import PictureSink
from bgm.infer.sources import Broken, Clip, Pictures
from bgm.infer.video_sink import VideoSink
from bgm.pictures import picture_size


class ShotFrames:
    """The frames of a shot that are to be matted, each reported when it is written, or fails.

    listed: names a frame's shot in what is said of it. reading: as `open_frames` takes it.
    """

    def __init__(
        self,
        shot: ListedShot,
        reports: FrameReports,
        failures: Failures,
        *,
        listed: bool = False,
        **reading: Any,
    ) -> None:
        self.shot, self.reports, self.failures, self.listed = shot, reports, failures, listed
        self.frames = open_frames(shot.src, shot.bgr, broken=self._broken, **reading)
        self.whole = 0  # frames of an earlier run
        names = self.frames.names if isinstance(self.frames, Pictures) else []
        self._numbers = {name: number for number, name in enumerate(names, 1)}
        self._count = 0
        reports.begin(shot.name, self.total, shot.out)

    @property
    def total(self) -> int | None:
        """Of all frames, done or not; None where a video does not say it."""
        if isinstance(self.frames, Clip):
            return self.frames.frames or None
        return len(self.frames.names)

    @property
    def left(self) -> int | None:
        """Of those that are to be matted; None where a video does not say it."""
        if isinstance(self.frames, Clip):
            return 0 if self.whole else self.total
        return len(self.frames.names)

    @property
    def broken(self) -> Broken | None:
        """Takes single frames that cannot be matted; None where the first of them ends the shot."""
        return self._broken if self.stills and len(self._numbers) > 1 else None

    @property
    def stills(self) -> bool:
        """Whether these are pictures that need not follow each other in time."""
        return isinstance(self.frames, Pictures)

    @property
    def largest(self) -> tuple[int, int]:
        """(H, W) of the largest frame; frames whose size cannot be read do not count."""
        if isinstance(self.frames, Clip):
            return self.frames.size
        sizes = [(1, 1)]
        for path in self.frames.shots.values():
            with suppress(BadInput):
                sizes.append(picture_size(path))
        return max(sizes, key=lambda size: size[0] * size[1])

    def skip_whole(self, sink: PictureSink | VideoSink, record: OutputRecord) -> None:
        """Leave out the frames whose outputs are whole."""
        names = whole_frames(self.frames, sink, record)
        if isinstance(self.frames, Pictures):
            self.frames = self.frames.without(names)
            self.whole = len(names)
            for name in names:
                self.reports.frame(self._numbers[name], name, "skipped")
        elif names:
            self.whole = record.frames or self.total or 1
            for number in range(1, self.whole + 1):
                self.reports.frame(number, names[0], "skipped")

    def to_matte(self, bar: bool = True) -> Iterable[Frame]:
        """The frames that are left; bar: with a progress bar around them, on a terminal."""
        if isinstance(self.frames, Clip):
            frames: Iterable[Frame] = () if self.whole else self.frames
        else:
            frames = self.frames
        return tracked(frames, "matting", self.left) if bar else frames

    def written(self, frame: Frame) -> None:
        """A frame's outputs are written."""
        self._count += 1
        self.reports.frame(self._numbers.get(frame.name, self._count), frame.name, "done")

    def _broken(self, name: str, error: BadInput) -> None:
        what = f"frame {name} of shot {self.shot.name}" if self.listed else f"frame {name}"
        self.failures.add(what, error)
        self.reports.frame(self._numbers[name], name, "failed", str(error))


class FollowedSink:
    """A sink that says when it begins to write, and after every frame."""

    def __init__(
        self, sink: Sink, begin: Callable[[], None], written: Callable[[Frame], None]
    ) -> None:
        self._sink, self._begin, self._written = sink, begin, written

    def __enter__(self) -> "FollowedSink":
        self._sink.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Any:
        return self._sink.__exit__(kind, error, traceback)

    def write(self, frame: Frame, matte: Matte) -> None:
        """Write the outputs of one frame, and say so."""
        self._begin()
        self._sink.write(frame, matte)
        self._written(frame)
