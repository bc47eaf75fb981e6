"""The audio of a video, copied beside the pictures that are made of it."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from bgm.errors import BadInput
from bgm.video.video_formats import pyav, url_of

AHEAD = Fraction(1, 2)  # seconds that audio is written before its pictures, for players' buffers
# Tracks begin a little before their pictures: the first packet of AAC is there to be thrown away.
EARLIEST = Fraction(-1, 20)
SAID_FROM = Fraction(1, 10)  # seconds before the first picture that are more than such a packet
# By the number of channels: what encoders take. Files say others too: 5.1 with side speakers, or
# nothing. QuickTime's PCM may have its channels in any order, whose frames PyAV 18 cannot hold: it
# breaks memory, even when it is asked for the layout.
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


class AudioTracks:
    """All audio tracks of a source on their way into an output container of PyAV.

    takes: codecs whose packets the container takes as they are (empty: all); others are decoded and
    encoded again by `encoder`, which `changed` says. start: seconds on the source's clock that are
    0 in the output. Raises BadInput when the source's audio cannot be read.
    """

    def __init__(
        self, source: Path, output: Any, *, takes: tuple[str, ...], encoder: str, start: Fraction
    ) -> None:
        self._av, self._source, self._output, self._start = pyav("audio"), source, output, start
        self._input = self._av.open(url_of(source))
        self._targets: dict[int, tuple[Any, bool]] = {}  # stream index: (new stream, copied)
        self.changed: list[str] = []
        for stream in self._input.streams.audio:
            self._add(stream, takes, encoder)
            self._say_early(stream)
        self._packets = self._shifted()
        self._next: tuple[Fraction, Any] | None = next(self._packets, None)

    def _add(self, stream: Any, takes: tuple[str, ...], encoder: str) -> None:
        context = stream.codec_context
        if context is None:
            self.changed.append("an audio track of an unknown codec is left out")
            return
        codec = context.codec.name.removesuffix("float")  # mp3float decodes mp3
        target = self._copied(stream) if not takes or codec in takes else None
        copied, channels = target is not None, context.channels
        any_order = codec.startswith("pcm") and "mov" in self._input.format.name and channels > 2
        if target is None and (any_order or channels not in LAYOUTS):
            self.changed.append(
                f"its {codec} audio of {channels} channels is left out: output=prores keeps it"
            )
            return
        if target is None:
            rate = 48_000 if encoder == "libopus" else context.sample_rate
            target = self._output.add_stream(encoder, rate=rate, layout=LAYOUTS[channels])
            if encoder in ("aac", "libopus"):
                target.bit_rate = 96_000 * channels
            self.changed.append(
                f"its {codec} audio is encoded again as {encoder.removeprefix('lib')}"
            )
        for key in ("language", "title"):
            if key in stream.metadata:
                target.metadata[key] = stream.metadata[key]
        self._targets[stream.index] = (target, copied)

    def _say_early(self, stream: Any) -> None:
        """Note what is heard before the first picture, and goes with it."""
        if stream.index in self._targets and stream.start_time is not None:
            before = self._start - stream.start_time * stream.time_base
            if before > SAID_FROM:
                self.changed.append(
                    f"{float(before):.2f} s of its audio, before its first picture, are left out"
                )

    def _copied(self, stream: Any) -> Any:
        """A track for the packets as they are; None where the container does not take them."""
        try:
            return self._output.add_stream_from_template(stream)
        except ValueError:
            return None

    def write_until(self, time: Fraction | None) -> None:
        """Write what is heard until `AHEAD` after a time in seconds, or all that is left."""
        while self._next is not None and (time is None or self._next[0] <= time + AHEAD):
            self._write(self._next[1])
            self._next = next(self._packets, None)
        if time is None:
            for target, copied in self._targets.values():
                if not copied:
                    self._output.mux(target.encode(None))

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def _shifted(self) -> Iterator[tuple[Fraction, Any]]:
        """(seconds in the output, packet) of all tracks, in the order of the file."""
        streams = [s for s in self._input.streams.audio if s.index in self._targets]
        if not streams:
            return
        try:
            for packet in self._input.demux(streams):
                if packet.dts is None or packet.pts is None:
                    continue
                shift = round(self._start / packet.time_base)
                time = (packet.pts - shift) * packet.time_base
                if time + (packet.duration or 0) * packet.time_base <= EARLIEST:
                    continue  # heard before the first picture
                yield time, packet
        except (self._av.FFmpegError, OSError) as error:
            raise BadInput(f"the audio of {self._source} cannot be read ({error})") from None

    def _write(self, packet: Any) -> None:
        target, copied = self._targets[packet.stream.index]
        shift = round(self._start / packet.time_base)
        if copied:
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = target
            self._output.mux(packet)
            return
        try:
            frames = packet.decode()
        except self._av.FFmpegError as error:
            raise BadInput(f"the audio of {self._source} cannot be read ({error})") from None
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= round(self._start / frame.time_base)
            self._output.mux(target.encode(frame))
