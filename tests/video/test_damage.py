"""Files that are cut off or damaged are named; files that only look so are read."""

import re
import struct
from fractions import Fraction

import pytest
import torch

from bgm.errors import BadInput
from bgm.video.decode import decode, read_header
from tests.video.clips import av, ramps, write_clip

FAST = {"movflags": "+faststart"}
FRAGMENTS = {"movflags": "+frag_keyframe+empty_moov", "min_frag_duration": "100000"}


def frames(path):
    return sum(1 for _ in decode(path))


def cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


CUT = {
    "index in front": ("a.mp4", {"container_options": FAST}),
    "index at the end": ("a.mp4", {}),
    "quicktime": ("a.mov", {"encoder": "prores_ks", "pixels": "yuv422p10le"}),
    "fast quicktime": (
        "a.mov",
        {"encoder": "prores_ks", "pixels": "yuv422p10le", "container_options": FAST},
    ),
    "fragments": ("a.mp4", {"container_options": FRAGMENTS, "options": {"g": "3", "crf": "8"}}),
    "matroska": ("a.mkv", {}),
    "webm": ("a.webm", {"encoder": "libvpx-vp9"}),
    "avi": ("a.avi", {"encoder": "mjpeg", "pixels": "yuvj420p"}),
    "y4m": ("a.y4m", {"encoder": "wrapped_avframe", "audio": None}),
    "y4m of 10 bits": (
        "a.y4m",
        {
            "encoder": "wrapped_avframe",
            "pixels": "yuv422p10le",
            "audio": None,
            "container_options": {"strict": "-1"},
        },
    ),
}


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", CUT)
def test_a_file_that_is_cut_off_is_named(tmp_path, kind, share):
    name, options = CUT[kind]
    path = write_clip(
        tmp_path / name,
        30,
        picture=ramps,
        **{"audio": "aac" if kind != "webm" else None} | options,
    )
    assert frames(path) == 30
    with pytest.raises(BadInput, match=r"a\.\w+ (is cut off|cannot be read)"):
        read_header(cut(path, share))


@pytest.mark.parametrize("kind", CUT)
def test_whole_files_pass_with_something_appended(tmp_path, kind):
    name, options = CUT[kind]
    path = write_clip(tmp_path / name, 8, picture=ramps, **options)
    path.write_bytes(path.read_bytes() + b"not of a video")
    assert read_header(path).rate
    assert frames(path) == 8


def test_an_empty_file_and_text_are_named(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    (tmp_path / "b.mp4").write_text("no video")
    with pytest.raises(BadInput, match=r"a\.mp4 is empty"):
        read_header(tmp_path / "a.mp4")
    with pytest.raises(BadInput, match=r"b\.mp4 cannot be read"):
        read_header(tmp_path / "b.mp4")
    with pytest.raises(BadInput, match="does not exist"):
        read_header(tmp_path / "c.mp4")


def boxes(data, start, end):
    """(offset, length, kind) of the boxes of an MP4 between two offsets."""
    while start + 8 <= end:
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        yield start, length, kind
        start += length


def with_edit_list(path, first, count, rate):
    """Rewrite the video's edit list so that only `count` frames from `first` on are shown."""
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") - 4
    version, entries = data[at + 8], struct.unpack(">I", data[at + 12 : at + 16])[0]
    assert (version, entries) == (0, 1)
    _, media_time, speed = struct.unpack(">IiI", data[at + 16 : at + 28])
    mvhd = data.index(b"mvhd") + 4
    movie_ticks = struct.unpack(">I", data[mvhd + 12 : mvhd + 16])[0]
    mdhd = data.index(b"mdhd") + 4
    ticks = struct.unpack(">I", data[mdhd + 12 : mdhd + 16])[0]
    entry = (round(count / rate * movie_ticks), media_time + round(first / rate * ticks), speed)
    data[at + 16 : at + 28] = struct.pack(">IiI", *entry)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("first", "count"), [(0, 30), (0, 12), (7, 10), (20, 10)])
def test_edit_lists_show_a_part_and_are_whole(tmp_path, first, count):
    path = write_clip(
        tmp_path / "a.mp4", 30, picture=ramps, container_options=FAST, rate=Fraction(25)
    )
    with_edit_list(path, first, count, 25)
    assert read_header(path).frames == 30  # what the header says; not all of it is to be shown
    assert abs(frames(path) - count) <= 1


def damage(path, share, length):
    """Overwrite a stretch in the middle of what is coded."""
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") if b"mdat" in data else 0
    at = middle + int((len(data) - middle) * share)
    data[at : at + length] = bytes((i * 37 + 11) % 256 for i in range(length))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
@pytest.mark.parametrize("encoder", ["libx264", "libx265", "prores_ks"])
def test_a_damaged_middle_is_named(tmp_path, encoder, share):
    pixels = "yuv422p10le" if encoder == "prores_ks" else "yuv420p"
    options = {"x265-params": "log-level=none:keyint=10"} if encoder == "libx265" else {}
    # Noise: as many bytes as a real picture has, so that the damage is somewhere in all of them.
    path = write_clip(
        tmp_path / "a.mov",
        30,
        picture=noise,
        encoder=encoder,
        pixels=pixels,
        options=options,
        container_options=FAST,
    )
    whole = frames(path)
    assert whole == 30
    damage(path, share, 1500)
    with pytest.raises(BadInput, match=r"a\.\w+ (is damaged|cannot be read)") as caught:
        frames(path)
    if said := re.search(r"frame (\d+), ([\d.]+) s", str(caught.value)):
        assert float(said[2]) == pytest.approx(int(said[1]) / 29.97, abs=0.05)


def noise(i, size):
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(i))


def test_a_frame_whose_bytes_are_missing_is_named(tmp_path):
    """A download with holes: the size is right, zeros are where bytes should be."""
    path = write_clip(
        tmp_path / "a.mp4", 30, picture=noise, options={"g": "10"}, container_options=FAST
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"a\.mp4 (is damaged|cannot be read)"):
        frames(path)


def test_open_groups_of_pictures_and_b_frames_are_whole(tmp_path):
    options = {"x264-params": "open-gop=1:keyint=8:bframes=3", "crf": "8"}
    path = write_clip(tmp_path / "a.mp4", 40, picture=ramps, options=options)
    assert frames(path) == 40
    part = tmp_path / "part.mkv"  # a cut at a keyframe, as editors make it without encoding again
    with av.open(str(path)) as source, av.open(str(part), "w") as output:
        stream = source.streams.video[0]
        copied = output.add_stream_from_template(stream)
        source.seek(round(1.0 / stream.time_base), stream=stream, backward=True)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                output.mux(packet)
    assert 0 < frames(part) <= 40
