import struct
from fractions import Fraction

import numpy as np
import pytest
import torch

from bgm.colour import to_display
from bgm.errors import BadInput
from bgm.video.colour_tags import ColourTags
from bgm.video.decode import decode, read_header
from bgm.video.frame_reader import FrameReader
from bgm.video.frame_values import frame_of
from tests.video.clips import COLOURS, RATE, H, W, av, flat, ramps, write_clip

TAGS = {
    "bt709": ColourTags(1, 1, 1),
    "full": ColourTags(1, 1, 1, True),
    "ntsc": ColourTags(6, 6, 6),
    "pal": ColourTags(5, 1, 5),
    "p3": ColourTags(12, 1, 1),
    "bt2020": ColourTags(9, 14, 9),
    "hlg": ColourTags(9, 18, 9),
    "pq": ColourTags(9, 16, 9),
    "srgb": ColourTags(1, 13, 1),
}


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p10le", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("name", TAGS)
def test_values_and_encoding_are_those_of_the_tags(tmp_path, name, pixels):
    tags = TAGS[name]
    path = write_clip(tmp_path / "a.mp4", pixels=pixels, tags=tags, picture=ramps)
    header = read_header(path)
    assert header.tags == tags
    assert header.bits == (10 if "10" in pixels else 8)
    assert (header.size, header.rate, header.frames) == ((H, W), RATE, 6)
    for i, (values, time) in enumerate(decode(path)):
        assert (values - ramps(i)).abs().mean() < 0.004
        assert time == i / RATE
    assert i == 5


@pytest.mark.parametrize(
    ("encoder", "pixels", "suffix"),
    [
        ("ffv1", "yuv444p12le", ".mkv"),
        ("ffv1", "gbrp16le", ".mkv"),
        ("ffv1", "gbrp10le", ".mkv"),
        ("ffv1", "bgr0", ".mkv"),
        ("ffv1", "gray16le", ".mkv"),
        ("qtrle", "rgb24", ".mov"),
        ("prores_ks", "yuva444p10le", ".mov"),
        ("rawvideo", "nv12", ".avi"),
        ("rawvideo", "uyvy422", ".avi"),
        ("mjpeg", "yuvj420p", ".avi"),
        ("libx265", "yuv420p12le", ".mkv"),
    ],
)
def test_other_pixel_formats(tmp_path, encoder, pixels, suffix):
    gray = torch.full((3, H, W), 0.7) if "gray" in pixels else flat(1)
    with av.open(str(tmp_path / f"a{suffix}"), "w") as output:
        stream = output.add_stream(encoder, rate=25)
        stream.height, stream.width, stream.pix_fmt = H, W, pixels
        if encoder == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        planar = pixels.startswith(("yuv4", "yuva", "gbr", "gray"))
        full = pixels.startswith(("yuvj", "gbr", "gray"))
        tags = ColourTags(6, 6, 6, full)
        if planar:
            frame = frame_of(gray, pixels, tags)
        elif pixels == "yuvj420p":
            frame = frame_of(gray, "yuvj420p", tags)
        elif "rgb" in pixels or "bgr" in pixels:
            frame = frame_of(gray, "gbrp", tags._replace(full=True)).reformat(format=pixels)
        else:
            frame = frame_of(gray, "yuv444p", tags).reformat(format=pixels)
        for frame.pts in range(2):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    for values, _ in decode(tmp_path / f"a{suffix}"):
        assert (values - gray).abs().mean() < 0.01


@pytest.mark.parametrize(
    ("size", "matrix"), [((480, 640), 6), ((576, 720), 5), ((720, 960), 1), ((960, 720), 1)]
)
def test_untagged_colours_are_read_as_players_do(tmp_path, size, matrix):
    tags = ColourTags(matrix=matrix)
    write_clip(tmp_path / "a.mp4", 1, tags=tags, tagged=False, size=size, picture=flat)
    ((values, _),) = decode(tmp_path / "a.mp4")
    assert (values.mean((1, 2)) - COLOURS[0]).abs().max() <= 0.01
    assert read_header(tmp_path / "a.mp4").encoding.as_shown


def test_tags_that_say_half_are_completed(tmp_path):
    """HLG and BT.2020 primaries without a matrix are BT.2020's: some phones write so."""
    tags = ColourTags(9, 18, 9)
    path = write_clip(
        tmp_path / "a.mp4", 2, tags=tags, pixels="yuv420p10le", tagged=True, picture=ramps
    )
    assert read_header(path).tags.matrix == 9


def test_meaningless_tags_are_named(tmp_path):
    path = write_clip(tmp_path / "a.mkv", 2, encoder="ffv1", pixels="yuv444p10le", container=None)
    assert read_header(path)
    with av.open(str(tmp_path / "b.mkv"), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = H, W, "yuv444p"
        stream.codec_context.colorspace = 8  # YCgCo
        frame = av.VideoFrame(W, H, "yuv444p")
        frame.colorspace = 8
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(BadInput, match=r"b\.mkv is tagged with colour matrix 8"):
        read_header(tmp_path / "b.mkv")


@pytest.mark.parametrize("name", ["hlg", "pq"])
def test_hdr_is_shown_bright_and_in_its_colours(tmp_path, name):
    """Reference white of BT.2408 is near the top of what a screen shows, not a dull gray."""
    code = {"hlg": 0.75, "pq": 0.5807}[name]
    white = lambda i, size: torch.full((3, *size), code)  # noqa: E731
    path = write_clip(tmp_path / "a.mp4", 1, tags=TAGS[name], pixels="yuv420p10le", picture=white)
    ((values, _),) = decode(path)
    assert (values - code).abs().max() < 0.005  # carried as it is
    display = to_display(values, read_header(path).encoding)
    assert display.min() > 0.9
    assert (display.amax(0) - display.amin(0)).max() < 0.01


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_rotation_flags_are_applied(tmp_path, degrees):
    def quarter(i, size):
        x = torch.zeros(3, *size)
        x[:, : size[0] // 2, : size[1] // 2] = 1
        return x

    path = write_clip(
        tmp_path / "a.mp4", 1, picture=quarter, rotation=degrees, aspect=Fraction(4, 3)
    )
    ((values, _),) = decode(path)
    expected = torch.rot90(quarter(0, (H, W)), degrees // 90, (1, 2))  # both counterclockwise
    header = read_header(path)
    assert header.size == tuple(expected.shape[1:]) == tuple(values.shape[1:])
    assert header.pixel_aspect == (Fraction(4, 3) if degrees == 180 else Fraction(3, 4))
    assert (values - expected).abs().mean() < 0.02


IDENTITY = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def with_matrix(path, a, b, c, d):
    """Write a display matrix into a .mp4 (ISO 14496-12, 6.2.2; of its track, not of its movie)."""
    data, ones = path.read_bytes(), [round(x * 65536) for x in (a, b, c, d)]
    matrix = struct.pack(">9i", *ones[:2], 0, *ones[2:], 0, 0, 0, 1 << 30)
    at = data.index(IDENTITY, data.index(b"tkhd"))
    path.write_bytes(data[:at] + matrix + data[at + len(matrix) :])
    return path


# x' = a x + c y, y' = b x + d y, y downwards
MATRICES = [(0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0)]
MATRICES += [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0), (2, 0, 0, 2)]


@pytest.mark.parametrize("matrix", MATRICES)
def test_mirrored_and_turned_pictures_are_shown_as_the_file_says(tmp_path, matrix):
    def corner(i, size):
        x = torch.zeros(3, *size)
        x[:, : size[0] // 2, : size[1] // 2] = 1
        x[0, size[0] // 2 :, : size[1] // 2] = 1
        return x

    path = with_matrix(write_clip(tmp_path / "a.mp4", 1, picture=corner), *matrix)
    ((values, _),) = decode(path)
    a, b, c, d = (np.sign(x) for x in matrix)
    source = corner(0, (H, W))
    height, width = (W, H) if a == 0 else (H, W)
    y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    across, down = a * x + c * y, b * x + d * y
    expected = torch.zeros(3, height, width)
    expected[:, down - down.min(), across - across.min()] = source
    assert (values - expected).abs().mean() < 0.05
    frame = FrameReader(path).read(0)
    assert np.abs(frame / 255 - expected.permute(1, 2, 0).numpy()).mean() < 0.05


def test_a_picture_turned_by_no_quarter_is_refused(tmp_path):
    path = with_matrix(write_clip(tmp_path / "a.mp4", 1), 0.7, 0.7, -0.7, 0.7)
    with pytest.raises(BadInput, match="shown turned by 45 degrees: expected quarters"):
        read_header(path)


def test_documents_with_pictures_are_no_videos(tmp_path):
    jpeg = write_clip(tmp_path / "a.mjpeg", 2, encoder="mjpeg", pixels="yuvj420p").read_bytes()
    document = tmp_path / "a.pdf"
    document.write_bytes(b"%PDF-1.4\n" + b"stream\n" + jpeg)
    with pytest.raises(BadInput, match=r"a\.pdf (is no video|cannot be read)"):
        read_header(document)


def test_a_varying_frame_rate_is_kept(tmp_path):
    times = [Fraction(t, 30) for t in (0, 1, 4, 5, 9)]
    path = write_clip(tmp_path / "a.mp4", 5, times=times, rate=Fraction(30))
    assert [time for _, time in decode(path)] == times


def test_odd_sizes(tmp_path):
    path = write_clip(
        tmp_path / "a.mov", 2, encoder="prores_ks", pixels="yuv444p10le", size=(17, 5)
    )
    assert read_header(path).size == (17, 5)
    assert [tuple(values.shape) for values, _ in decode(path)] == [(3, 17, 5)] * 2


def test_what_is_known_of_a_file(tmp_path):
    path = write_clip(
        tmp_path / "a.mov",
        aspect=Fraction(64, 45),
        timecode="10:00:00:12",
        audio="aac",
        rate=Fraction(25),
    )
    header = read_header(path)
    assert header.pixel_aspect == Fraction(64, 45)
    assert header.timecode == "10:00:00:12"
    assert header.audio == ("aac",)
    assert header.start == 0


def test_a_changing_size_is_named_with_its_time(tmp_path):
    """Two recordings glued together, as phones do when they are turned."""
    parts = [
        write_clip(tmp_path / f"{i}.ts", 5, size=size, options={"crf": "8", "bf": "0"})
        for i, size in enumerate([(48, 64), (64, 48)])
    ]
    (tmp_path / "a.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    reader = decode(tmp_path / "a.ts")
    assert [tuple(next(reader)[0].shape) for _ in range(5)] == [(3, 48, 64)] * 5
    with pytest.raises(BadInput, match=r"a\.ts changes from 64x48 to 48x64 at 0\.\d+ s"):
        next(reader)


def test_songs_with_a_cover_are_no_videos(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        sound = output.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48000
        output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    with pytest.raises(BadInput, match="has no video in it"):
        read_header(tmp_path / "a.mp4")
