"""Write a video in one go under a temporary name, with its colours, its audio and its timecode."""

import os
import secrets
from contextlib import suppress
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import Any

from torch import Tensor

from bgm.colour import SRGB, Encoding, to_display
from bgm.errors import BadInput
from bgm.files import make_folder, remove_empty
from bgm.video.audio import AudioTracks
from bgm.video.colour_tags import RGB, ColourTags, tags_for
from bgm.video.decode import Header
from bgm.video.frame_values import frame_of
from bgm.video.hdr_metadata import HdrMetadata, takes_hdr_metadata, with_hdr_metadata
from bgm.video.video_formats import VIDEO_FORMATS, coding_of, pyav

FINEST = 90_000  # ticks per second at least, for videos whose frame rate varies


class DiscardableFile(FileIO):
    """A file that takes what is written to it and forgets it, once it is to be discarded.

    FFmpeg writes the end of a container as it closes it; on a full disk that was one error more,
    which PyAV can only print.
    """

    discarded = False

    def write(self, data: Any) -> int:
        return len(data) if self.discarded else super().write(data)


class VideoFile:
    """One video being written; `finish` gives it its name, `discard` leaves nothing of it.

    form: a key of VIDEO_FORMATS. size: (H, W). channels: 1 (a matte), 3, or 4 (alpha last).
    encoding: of the values that are written; it is tagged, or converted to BT.709 where the format
    cannot hold it. source: the video that the pictures were made of, whose audio, timecode, pixel
    aspect and, where HDR stays HDR, HDR10 metadata go along. notes: what is not as in the source, a
    sentence each.
    """

    def __init__(
        self,
        path: Path,
        form: str,
        size: tuple[int, int],
        rate: Fraction,
        *,
        channels: int = 3,
        encoding: Encoding = SRGB,
        source: Header | None = None,
    ) -> None:
        self._av = pyav(f"writing video {path}")
        self.path, self.notes = path, list[str]()
        self._form = VIDEO_FORMATS[form]
        hdr = encoding.transfer in ("hlg", "pq") and channels != 1
        self._coding = coding_of(form, size=size, alpha=channels == 4, gray=channels == 1, hdr=hdr)
        self._encoding, self._tags = encoding, self._choose_tags(encoding, hdr, form)
        self._tick = Fraction(1, rate.numerator * -(-FINEST // rate.numerator))
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
        self._audio: AudioTracks | None = None
        self.failed = False
        os.environ.setdefault("SVT_LOG", "1")  # AV1's encoder prints a page about itself
        self._made: list[Path] = []
        self._file: DiscardableFile | None = None
        try:
            self._made = make_folder(path.parent)
            # A file of Python's, not FFmpeg's own: a full disk is then an error at every write.
            self._file = DiscardableFile(self._partial, "w+b")
            self._container = self._av.open(self._file, "w", format=self._form.container)
            shows_hdr = hdr and self._convert_from is None
            metadata = source.hdr if source and shows_hdr else HdrMetadata()
            self._stream = self._open(size, rate, metadata)
            if source is not None:
                self._follow(source)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self.discard()
            raise BadInput(f"cannot write video {path} ({reason(error)})") from None

    def _choose_tags(self, encoding: Encoding, hdr: bool, form: str) -> ColourTags:
        tags = tags_for(encoding)
        if tags is None or encoding.transfer == "linear" or (hdr and not self._coding.deep):
            self._encoding = SRGB
            self.notes.append(
                f"{encoding.primaries} {encoding.transfer} colours are converted "
                f"to BT.709, output={form} cannot hold them here"
            )
            self._convert_from: Encoding | None = encoding
            tags = ColourTags()
        else:
            self._convert_from = None
        rgb = self._coding.pixels.startswith(("gbr", "gray"))
        return tags._replace(matrix=RGB, full=True) if rgb else tags

    def _open(self, size: tuple[int, int], rate: Fraction, metadata: HdrMetadata):
        encoder, own = self._coding.encoder, self._coding.options
        options = with_hdr_metadata(own, encoder, metadata)
        if options is None:
            able = [name for name, form in VIDEO_FORMATS.items() if takes_hdr_metadata(form)]
            self.notes.append(
                "its HDR10 metadata (mastering display, MaxCLL) is not written: "
                f"output={' or '.join(able)} keeps it"
            )
        stream = self._container.add_stream(encoder, rate=rate)
        stream.options = options or dict(own)
        context = stream.codec_context
        context.height, context.width = size
        context.pix_fmt = self._coding.pixels
        context.time_base = self._tick
        context.thread_type = "AUTO"
        if self._form.tag:
            context.codec_tag = self._form.tag
        context.color_primaries, context.color_trc = self._tags.primaries, self._tags.transfer
        context.colorspace, context.color_range = self._tags.matrix, 2 if self._tags.full else 1
        return stream

    def _follow(self, source: Header) -> None:
        """Take over what a source has beside its pictures."""
        if source.pixel_aspect != 1:
            if self._form.holds_pixel_aspect:
                self._stream.codec_context.sample_aspect_ratio = source.pixel_aspect
            else:
                self.notes.append(
                    f"pixels of {source.pixel_aspect} (width by height) are "
                    f"written as square ones, {self._form.container} is given no pixel aspect"
                )
        if source.timecode:
            self._stream.metadata["timecode"] = source.timecode
        if source.audio:
            self._audio = AudioTracks(
                source.path,
                self._container,
                takes=self._form.audio,
                encoder=self._form.audio_encoder,
                start=source.start,
            )
            self.notes += self._audio.changed

    def write(self, x: Tensor, time: Fraction) -> None:
        """Append values (C, H, W) float, white 1, shown `time` seconds after the first."""
        if self._convert_from is not None and x.shape[0] > 1:
            x = x.clone()
            x[:3] = to_display(x[:3], self._convert_from)
        frame = frame_of(x, self._coding.pixels, self._tags)
        frame.pts, frame.time_base = round(time / self._tick), self._tick
        try:
            if self._audio:
                self._audio.write_until(time)
            self._container.mux(self._stream.encode(frame))
        except (self._av.FFmpegError, OSError) as error:
            self.failed = True
            raise BadInput(f"cannot write video {self.path} ({reason(error)})") from None

    def finish(self, path: Path | None = None) -> None:
        """Write what the encoder still holds, close, and rename to the final name (or to path)."""
        path = path or self.path
        if self.failed:
            self.discard()
            raise BadInput(f"cannot write video {path}: an earlier frame of it was refused")
        try:
            self._container.mux(self._stream.encode(None))
            if self._audio:
                self._audio.write_until(None)
            self._container.close()
            if self._file is not None:
                self._file.close()
            os.replace(self._partial, path)
        except (self._av.FFmpegError, OSError) as error:
            self.discard()
            raise BadInput(f"cannot write video {path} ({reason(error)})") from None
        finally:
            if self._audio:
                self._audio.close()

    def discard(self) -> None:
        """Close and delete what there is."""
        if self._file is not None:
            self._file.discarded = True
        for thing in ("_audio", "_container", "_file"):
            with suppress(self._av.FFmpegError, OSError):
                if (found := getattr(self, thing, None)) is not None:
                    found.close()
        with suppress(OSError):  # its folder may be none
            self._partial.unlink(missing_ok=True)
        remove_empty(self._made)


def reason(error: Exception) -> str:
    """What the system said, without FFmpeg's own words where there is a plain one."""
    return getattr(error, "strerror", None) or str(error)
