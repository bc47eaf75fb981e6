"""Read a video upright and in true colours, frame by frame (PyAV)."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import torch

from bgm.errors import BadInput
from bgm.infer.frame import Shot
from bgm.video import pyav, upright


class Header(NamedTuple):
    """What is known of a video before it is read through."""

    size: tuple[int, int]  # (H, W) upright
    rate: Fraction  # frames per second, the mean where it varies
    frames: int  # as the file says; 0 where it does not


def read_header(path: str | Path) -> Header:
    """Look at a video's first frame; raises BadInput for what is no video or has no frame."""
    for _, _, header in _decode(path):
        return header
    raise BadInput(f"video {path} holds 0 frames")


def decode(path: str | Path) -> Iterator[tuple[Shot, Fraction]]:
    """Yield (frame, 8 bits of RGB, seconds since the first frame) of the first video stream.

    Rotation flags are applied. Untagged colours are BT.709 from 720 lines on and BT.601 below, as
    players have it. An alpha channel is ignored. Raises BadInput for files that are missing, broken
    or change size on the way.
    """
    first, size = None, None
    for picture, time, header in _decode(path):
        first = time if first is None else first
        if size is not None and size != header.size:
            (h, w), (H, W) = header.size, size
            raise BadInput(f"video {path} changes from {W}x{H} to {w}x{h} at {time - first:.2f} s")
        size = header.size
        yield Shot(torch.from_numpy(picture().transpose(2, 0, 1).copy())), time - first


def _decode(path: str | Path):
    """Yield (function that gives the upright picture (H, W, 3), seconds, Header)."""
    av = pyav(f"reading video {path}")
    if not Path(path).is_file():
        raise BadInput(f"video {path} does not exist")
    count = 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise BadInput(f"{path} has no video in it")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            for frame in container.decode(stream):
                H, W = frame.height, frame.width
                quarter = round(frame.rotation / 90) % 4
                size = (W, H) if quarter % 2 else (H, W)
                ticks = frame.pts is not None and frame.time_base is not None
                time = frame.pts * frame.time_base if ticks else count / rate
                yield (
                    lambda f=frame, k=quarter: upright(f, k),
                    time,
                    Header(size, rate, stream.frames),
                )
                count += 1
    except (av.FFmpegError, OSError) as error:
        raise BadInput(f"video {path} cannot be read after frame {count} ({error})") from None
