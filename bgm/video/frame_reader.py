"""Read any frame of a video by its number, upright and in true colours, as 8 bits."""

from pathlib import Path
from typing import Any

import numpy as np

from bgm.errors import BadInput
from bgm.video.orientation import Orientation, orientation_of
from bgm.video.video_formats import pyav, url_of

BT709, BT601, MPEG = 1, 5, 1  # FFmpeg's numbers
UNSPECIFIED = 2  # of a colour space


def upright(frame, orientation: Orientation) -> np.ndarray:
    """A decoded frame as RGB (H, W, 3) uint8, mirrored and turned as it is shown.

    Untagged colours are BT.709 from 720 lines on and BT.601 below, as players have it.
    """
    space = frame.colorspace
    if space == UNSPECIFIED:
        space = BT709 if min(frame.height, frame.width) >= 720 else BT601
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=space,
        src_color_range=frame.color_range or MPEG,
        threads=1,  # by itself one for every core, for every frame that is not collected yet
    )
    pixels = rgb.to_ndarray()
    return np.rot90(pixels[:, ::-1] if orientation.mirrored else pixels, orientation.quarters)


class FrameReader:
    """An open video whose frames are read by number, 0 to frames - 1 in the order of display.

    size: (W, H) as coded. frames: as the file says, counted where it does not. One thread: there
    is a worker for every core. Raises BadInput for files that are missing or no videos, and when a
    frame cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path, self._av = str(path), pyav(f"reading video {path}")
        if not Path(path).is_file():
            raise BadInput(f"video {path} does not exist")
        try:
            self._container = self._av.open(url_of(path))
        except (self._av.FFmpegError, OSError) as error:
            raise BadInput(f"{path} is not a video that can be read ({error})") from None
        if not self._container.streams.video:
            raise BadInput(f"{path} has no video in it")
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = 1
        self.size = (self._stream.codec_context.width, self._stream.codec_context.height)
        self._times: list[int] = []  # of all frames, in the order of display
        self._keys: list[tuple[int, int]] = []  # of keyframes: when displayed, when decoded
        self._decoded: Any = None  # an iterator of frames, the next of which has number _next
        self._next = 0
        self.frames = self._stream.frames or self._count()

    def read(self, number: int) -> np.ndarray:
        """Frame number, RGB (H, W, 3) uint8, upright."""
        self._count()
        if not 0 <= number < len(self._times):
            raise BadInput(f"video {self.path} has {len(self._times)} frames, no frame {number}")
        wanted = self._times[number]
        try:
            if self._decoded is None or not self._continues(number):
                # Files are searched by time of decoding, which B-frames set apart.
                start = max(key for key in self._keys if key[0] <= wanted)[1]
                self._container.seek(start, stream=self._stream, backward=True)
                self._decoded = self._container.decode(self._stream)
            for frame in self._decoded:
                if frame.pts is not None and frame.pts > wanted:
                    break
                if frame.pts == wanted and frame.is_corrupt:
                    raise BadInput(f"video {self.path} is damaged at frame {number}")
                if frame.pts == wanted:
                    self._next = number + 1
                    return np.ascontiguousarray(upright(frame, orientation_of(frame, self.path)))
        except (self._av.FFmpegError, OSError) as error:
            self._decoded = None
            raise BadInput(
                f"video {self.path} cannot be read at frame {number} ({error})"
            ) from None
        self._decoded = None
        raise BadInput(f"video {self.path} lacks frame {number} of {len(self._times)}")

    def close(self) -> None:
        """Give the decoder's memory back."""
        self._decoded = None
        self._container.close()

    @property
    def keyframe_every(self) -> float:
        """Frames from one keyframe to the next, in the mean: what a jump costs, twice over."""
        return self._count() / max(1, len(self._keys))

    def _continues(self, number: int) -> bool:
        """Whether decoding on is cheaper than a jump: no keyframe lies between."""
        if not self._next <= number:
            return False
        if self._next == number:
            return True
        first, last = self._times[self._next], self._times[number]
        return not any(first < key <= last for key, _ in self._keys)

    def _count(self) -> int:
        """Walk through the packets once, without decoding: times of display, keyframes."""
        if not self._times:
            try:
                self._container.seek(0, stream=self._stream, backward=True)
                for packet in self._container.demux(self._stream):
                    if packet.pts is not None and not packet.is_discard:
                        self._times.append(packet.pts)
                        if packet.is_keyframe:
                            self._keys.append((packet.pts, packet.dts or 0))
            except (self._av.FFmpegError, OSError) as error:
                raise BadInput(f"video {self.path} cannot be read ({error})") from None
            self._times.sort()
            if not self._keys or self._keys[0][0] > self._times[0]:  # no frame of its own to start
                self._keys.insert(0, (self._times[0], 0) if self._times else (0, 0))
            self._decoded = None
        return len(self._times)
