"""Read a video upright and in its own colours, frame by frame, and name what is damaged in it."""

import heapq
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bgm.colour import Encoding
from bgm.errors import BadInput
from bgm.video.colour_tags import ColourTags, tags_of
from bgm.video.frame_values import values_of
from bgm.video.hdr_metadata import HdrMetadata, hdr_metadata_of
from bgm.video.orientation import Orientation, orientation_of
from bgm.video.truncation import check_duration, check_length
from bgm.video.video_formats import open_video, pyav

# Each packet of these is one picture: a packet without a frame is a picture that was lost.
ONE_EACH = {"h264", "hevc", "prores", "dnxhd", "mjpeg", "ffv1", "mpeg4", "qtrle", "png"}
THREADS = min(4, os.cpu_count() or 1)  # of a decoder: enough for any network, cores stay for it


class Header(NamedTuple):
    """What is known of a video before it is read through."""

    path: Path
    size: tuple[int, int]  # (H, W) upright
    rate: Fraction  # frames per second, the mean where it varies
    frames: int  # as the file says; 0 where it does not
    tags: ColourTags  # of its colours, what the file leaves out filled in
    bits: int  # of a code
    pixel_aspect: Fraction  # width of a pixel by its height, upright
    timecode: str  # of the first frame, "01:00:00:00" or "01:00:00;00"; "" without one
    audio: tuple[str, ...]  # the codecs of its audio tracks
    start: Fraction  # seconds, of the first frame, on the clock that its audio shares
    interlaced: bool  # each frame is two fields, of two moments
    alpha: bool  # it has an alpha channel, which is not looked at
    left_out: str  # what else is in the file, in words: "its subtitles (2), its chapters (3)"
    orientation: Orientation  # of the frames as they are coded
    hdr: HdrMetadata = HdrMetadata()

    @property
    def encoding(self) -> Encoding:
        """What the values of `decode` mean."""
        return self.tags.encoding

    @property
    def dropped(self) -> list[str]:
        """Sentences about what `decode` leaves out or takes for something else; mostly none."""
        sentences = []
        if self.interlaced:
            sentences.append(
                "it is interlaced, and matted as if it were not: moving edges come out as combs "
                "(deinterlace it first, as by ffmpeg -vf bwdif)"
            )
        if self.alpha:
            sentences.append(
                "its alpha channel is not looked at, its colours are taken as they are"
            )
        if self.left_out:
            sentences.append(f"{self.left_out} are left out")
        if self.hdr.dynamic:
            sentences.append("its dynamic HDR metadata (HDR10+, Dolby Vision) is left out")
        return sentences


def read_header(path: str | Path) -> Header:
    """Look at a video's first frame; raises BadInput for what is no video, has no frame, is cut."""
    for _, _, header in _decode(path, check=True):
        return header
    raise BadInput(f"video {path} holds 0 frames")


def decode(path: str | Path) -> Iterator[tuple[Tensor, Fraction]]:
    """Yield (values (3, H, W) float32, seconds since the first frame) of the first video stream.

    Values are R'G'B' in the file's own encoding (`Header.encoding`), white is 1. Frames are
    mirrored and turned as the file says. An alpha channel is ignored. Raises BadInput for files
    that are missing or broken, that change size on the way, for frames that FFmpeg flags as
    corrupt, and for frames that are lost.
    """
    first: Header | None = None
    for frame, time, header in _decode(path):
        first = first or header
        at = f"at {float(time - first.start):.2f} s"
        if header.size != first.size:
            (h, w), (H, W) = header.size, first.size
            raise BadInput(f"video {path} changes from {W}x{H} to {w}x{h} {at}")
        if header.tags.encoding != first.tags.encoding:
            old, new = first.encoding[:2], header.encoding[:2]
            raise BadInput(f"video {path} changes its colours from {old} to {new} {at}")
        yield _upright(values_of(frame, header.tags), header.orientation), time - first.start


def _upright(values: Tensor, orientation: Orientation) -> Tensor:
    values = values.flip(2) if orientation.mirrored else values
    return torch.rot90(values, orientation.quarters, (1, 2)).contiguous()


def _decode(path: str | Path, check: bool = False) -> Iterator[tuple[Any, Fraction, Header]]:
    """Yield (frame of PyAV, seconds, Header); check: whether the file is cut off, first."""
    av = pyav(f"reading video {path}")
    if check and Path(path).is_file():
        check_length(path)
    count, time = 0, Fraction(0)
    with open_video(path) as (container, stream):
        try:
            if check:
                check_duration(path, container, stream)
            stream.thread_type, stream.codec_context.thread_count = "AUTO", THREADS
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            for frame in _whole_frames(container, stream, path):
                ticks = frame.pts is not None and frame.time_base is not None
                time = frame.pts * frame.time_base if ticks else count / rate
                yield frame, time, _header(Path(path), container, stream, frame, rate, time)
                count += 1
        except (av.FFmpegError, OSError) as error:
            raise BadInput(
                f"video {path} cannot be read after frame {count}, {float(time):.2f} s ({error})"
            ) from None


def _header(
    path: Path, container: Any, stream: Any, frame: Any, rate: Fraction, start: Fraction
) -> Header:
    tags = tags_of(frame, path)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    size = (frame.height, frame.width)
    orientation = orientation_of(frame, path)
    if orientation.quarters % 2:
        size, aspect = size[::-1], 1 / aspect
    bits = max(c.bits for c in frame.format.components)
    audio = tuple(s.codec_context.name if s.codec_context else "?" for s in container.streams.audio)
    timecode = _timecode(container)
    alpha = any(c.is_alpha for c in frame.format.components)
    return Header(
        *(path, size, rate, stream.frames, tags, bits, aspect, timecode, audio, start),
        *(frame.interlaced_frame, alpha, _left_out(container, stream), orientation),
        hdr_metadata_of(frame),
    )


def _left_out(container: Any, stream: Any) -> str:
    """What of a file goes into no output: all but its pictures, audio and timecode."""
    streams = container.streams
    timecodes = [s for s in streams.data if any(key.lower() == "timecode" for key in s.metadata)]
    found = {
        "its other video tracks": len(streams.video) - 1,
        "its subtitles": len(streams.subtitles),
        "its tracks of data": len(streams.data) - len(timecodes),
        "its attachments": len(streams.attachments),
        "its chapters": len(container.chapters()),
    }
    return ", ".join(f"{what} ({count})" for what, count in found.items() if count)


def _timecode(container: Any) -> str:
    for metadata in (container.metadata, *(s.metadata for s in container.streams)):
        for key, value in metadata.items():
            if key.lower() == "timecode":
                return value
    return ""


def _whole_frames(container: Any, stream: Any, path: str | Path) -> Iterator[Any]:
    """Decoded frames; raises BadInput for one that is flagged as corrupt or did not come."""
    counts = stream.codec_context.name in ONE_EACH
    waiting: list[int] = []  # times of packets whose frame is still to come
    first: int | None = None

    def check(before: int | None) -> None:
        while waiting and (before is None or waiting[0] < before):
            lost = heapq.heappop(waiting)
            if counts and first is not None and lost > first:
                at = float((lost - first) * stream.time_base)
                raise BadInput(f"video {path} is damaged at {at:.2f} s: a frame is lost")

    count = 0
    for packet in container.demux(stream):
        if packet.pts is not None and not packet.is_discard and packet.size:
            heapq.heappush(waiting, packet.pts)
        for frame in packet.decode():
            if frame.is_corrupt:
                since = 0 if frame.pts is None or first is None else frame.pts - first
                at = float(since * stream.time_base)
                raise BadInput(
                    f"video {path} is damaged at frame {count}, {at:.2f} s: FFmpeg flags it as "
                    "corrupt"
                )
            if frame.pts is not None:
                first = frame.pts if first is None else first
                counts = counts and not frame.interlaced_frame  # two packets may make one frame
                check(frame.pts)
                if waiting and waiting[0] == frame.pts:
                    heapq.heappop(waiting)
            yield frame
            count += 1
    check(None)
