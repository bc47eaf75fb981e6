"""Write a video in one go under a temporary name (PyAV)."""

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from bgm.errors import BadInput
from bgm.video import BT709, MPEG, pyav

FINEST = 90_000  # ticks per second at least, for videos whose frame rate varies


class Codec(NamedTuple):
    """How frames become a file."""

    suffix: str
    container: str
    encoder: str
    pixels: str
    options: dict[str, str]


OPAQUE = Codec(".mp4", "mp4", "libx264", "yuv420p", {"crf": "16", "preset": "fast"})
CUTOUT = {
    "prores": Codec(".mov", "mov", "prores", "yuva444p10le", {"profile": "4"}),
    # Alternate reference frames and alpha do not go together in libvpx.
    "vp9": Codec(
        ".webm",
        "webm",
        "libvpx-vp9",
        "yuva420p",
        {"crf": "20", "b": "0", "auto-alt-ref": "0", "row-mt": "1", "cpu-used": "4"},
    ),
}

# For odd sides: 4:2:0 wants even ones, and so does the faster of the two ProRes encoders.
ODD = {
    "libx264": OPAQUE._replace(pixels="yuv444p"),
    "prores": CUTOUT["prores"]._replace(encoder="prores_ks", options={"profile": "4444"}),
}


class VideoFile:
    """One video being written; `finish` gives it its name, `discard` leaves nothing of it."""

    def __init__(self, path: Path, codec: Codec, size: tuple[int, int], rate: Fraction):
        self._av = pyav(f"writing video {path}")
        self.path = path
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        odd = size[0] % 2 or size[1] % 2
        self._codec = ODD.get(codec.encoder, codec) if odd else codec
        self._tick = Fraction(1, rate.numerator * -(-FINEST // rate.numerator))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = self._av.open(str(self._partial), "w", format=codec.container)
            self._stream = self._open(size, rate)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self._partial.unlink(missing_ok=True)
            raise BadInput(f"cannot write video {path} ({error})") from None

    def _open(self, size: tuple[int, int], rate: Fraction):
        stream = self._container.add_stream(self._codec.encoder, rate=rate)
        stream.options = dict(self._codec.options)
        context = stream.codec_context
        context.height, context.width = size
        context.pix_fmt = self._codec.pixels
        context.time_base = self._tick
        context.thread_type = "AUTO"
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = MPEG
        return stream

    def write(self, x: Tensor, time: Fraction) -> None:
        """Append (C, H, W) uint8, C = 1, 3 or 4 (RGBA), shown `time` seconds after the first."""
        rgb = x.expand(3, -1, -1) if x.shape[0] == 1 else x
        array = np.ascontiguousarray(rgb.permute(1, 2, 0).cpu().numpy())
        layout = "rgba" if array.shape[2] == 4 else "rgb24"
        frame = self._av.VideoFrame.from_ndarray(array, format=layout).reformat(
            format=self._codec.pixels, dst_colorspace=BT709, dst_color_range=MPEG
        )
        frame.pts, frame.time_base = round(time / self._tick), self._tick
        try:
            self._container.mux(self._stream.encode(frame))
        except (self._av.FFmpegError, OSError) as error:
            raise BadInput(f"cannot write video {self.path} ({error})") from None

    def finish(self) -> None:
        """Write what the encoder still holds, close, and rename to the final name."""
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            os.replace(self._partial, self.path)
        except (self._av.FFmpegError, OSError) as error:
            self.discard()
            raise BadInput(f"cannot write video {self.path} ({error})") from None

    def discard(self) -> None:
        """Close and delete what there is."""
        with suppress(self._av.FFmpegError, OSError):
            self._container.close()
        self._partial.unlink(missing_ok=True)
