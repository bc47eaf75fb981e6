"""Small videos as cameras, phones and editors write them, made by PyAV."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from bgm.video.colour_tags import ColourTags
from bgm.video.frame_values import frame_of

av = pytest.importorskip("av", reason="the extra `video` is not installed")

H, W, RATE = 48, 64, Fraction(30000, 1001)
COLOURS = torch.tensor(
    [[0.9, 0.1, 0.2], [0.1, 0.7, 0.2], [0.1, 0.2, 0.8], [0.95, 0.95, 0.95], [0.3, 0.3, 0.3]]
)

BT709 = ColourTags()


def flat(i, size=(H, W)):
    """Values of one colour, which no codec can hide, (3, H, W)."""
    return COLOURS[i % 5].view(3, 1, 1).expand(3, *size)


def ramps(i=0, size=(H, W)):
    """Values that are smooth and differ everywhere."""
    y, x = torch.meshgrid(*(torch.linspace(0, 1, n) for n in size), indexing="ij")
    return torch.stack([0.1 + 0.7 * x, 0.1 + 0.7 * y, 0.9 - 0.5 * x - 0.02 * i])


def write_clip(
    path,
    count=6,
    *,
    picture=flat,
    encoder="libx264",
    pixels="yuv420p",
    tags=BT709,
    tagged=True,
    rate=RATE,
    times=None,
    size=(H, W),
    options=None,
    aspect=None,
    timecode=None,
    rotation=None,
    audio=None,
    seconds=None,
    container=None,
    container_options=None,
):
    """Write `count` frames of `picture(i)`, and audio of a codec and a length in seconds.

    tagged: False leaves the tags out of the file, though pictures are coded by them.
    """
    with av.open(str(path), "w", format=container, options=container_options or {}) as output:
        stream = output.add_stream(encoder, rate=rate)
        stream.options = options or {"crf": "8"} if encoder == "libx264" else options or {}
        context = stream.codec_context
        context.height, context.width = size
        context.pix_fmt = pixels
        context.time_base = Fraction(1, 1000 * rate.numerator)
        if tagged:
            context.color_primaries, context.color_trc = tags.primaries, tags.transfer
            context.colorspace, context.color_range = tags.matrix, 2 if tags.full else 1
        if aspect:
            context.sample_aspect_ratio = aspect
        if timecode:
            stream.metadata["timecode"] = timecode
        if rotation:
            stream.set_display_rotation(rotation)
        sound = output.add_stream(audio, rate=48000, layout="stereo") if audio else None
        for i in range(count):
            frame = frame_of(picture(i, size), pixels, tags)
            if not tagged:
                frame.color_primaries = frame.color_trc = frame.colorspace = 2
                frame.color_range = 0
            time = times[i] if times else i / rate
            frame.pts, frame.time_base = round(time / context.time_base), context.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            length = round((seconds or count / rate) * 48000)
            for at in range(0, length, 1024):
                n = min(1024, length - at)
                wave = (np.sin(np.arange(at, at + n) / 15) * 9000).astype(np.int16)
                chunk = av.AudioFrame.from_ndarray(
                    np.repeat(wave, 2)[None], format="s16", layout="stereo"
                )
                chunk.sample_rate, chunk.pts = 48000, at
                chunk.time_base = Fraction(1, 48000)
                output.mux(sound.encode(chunk))
            output.mux(sound.encode(None))
    return path


def heard(path):
    """(codec, seconds of sound that come out of the decoder) of each audio track."""
    found = []
    with av.open(str(path)) as source:
        for track in range(len(source.streams.audio)):
            source.seek(0)
            stream = source.streams.audio[track]
            samples = sum(frame.samples for frame in source.decode(stream))
            found.append((stream.codec_context.name, samples / stream.codec_context.sample_rate))
    return found


def alphas(path):
    """Alpha of every frame, (T, H, W) in [0, 1]."""
    return torch.stack(list(each_alpha(path)))


def each_alpha(path):
    """Alpha (H, W) in [0, 1] of frame after frame; FFmpeg's own VP9 decoder drops it."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        decoder = stream.codec_context
        if stream.metadata.get("alpha_mode") == "1":
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        for packet in source.demux(stream):
            for frame in decoder.decode(packet):
                planes = frame.reformat(format="gbrap16le")
                rows = np.frombuffer(planes.planes[3], np.uint16).reshape(frame.height, -1)
                yield torch.from_numpy(rows[:, : frame.width].astype(np.float32) / 65535)
