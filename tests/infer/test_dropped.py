"""What reading a shot or a plate leaves out is said, once and by name; of plain files, nothing."""

import re
import struct
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image, features

from bgm.errors import BadInput
from bgm.infer.options import open_frames
from bgm.infer.predict import predict
from bgm.infer.sinks import PictureSink
from bgm.infer.sources import pictures
from bgm.pictures import dropped, read_encoded
from tests.infer import networks
from tests.pictures import files

ALPHA = "its alpha channel is not looked at"
clips = pytest.importorskip("tests.video.clips", reason="the extra `video` is not installed")


def shades(channels):
    return np.dstack([files.shades(), np.full((12, 18, channels - 3), 99, np.uint8)])


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("rgba.png", lambda path: files.picture(path, shades(4))),
        ("rgba.webp", lambda path: files.picture(path, shades(4), lossless=True)),
        ("deep.png", lambda path: files.deep(path, shades(4).astype(np.uint16) * 257)),
        ("deep.tif", lambda path: files.deep(path, shades(4).astype(np.float32) / 255)),
    ],
)
def test_an_alpha_channel_is_said(tmp_path, capsys, name, make):
    src, bgr = make(tmp_path / name), files.picture(tmp_path / "plate.png", files.shades())
    open_frames(str(src), str(bgr))
    said = capsys.readouterr().out
    assert said.count(ALPHA) == 1
    assert f"{name}: {ALPHA}" in said.replace("\n", "")
    open_frames(str(bgr), str(src))
    assert f"{name}: {ALPHA}" in capsys.readouterr().out.replace("\n", "")
    open_frames(str(files.picture(tmp_path / "plain.png", files.shades())), str(bgr))
    assert not capsys.readouterr().out


def test_an_exr_with_alpha_and_one_without(tmp_path):
    rgb = dict.fromkeys("RGB", np.full((8, 8), 0.5))
    assert dropped(files.exr(tmp_path / "rgb.exr", rgb)) == []
    assert ALPHA in dropped(files.exr(tmp_path / "rgba.exr", rgb | {"A": rgb["R"]}))[0]


@pytest.mark.parametrize("broken", ["src", "bgr"])
def test_numbers_that_are_none_are_counted_once_a_run(tmp_path, broken):
    values = np.full((8, 8), 0.5)
    holed = values.copy()
    holed[0, 0], holed[1, 1:3] = np.nan, np.inf
    for name in ("1", "2"):
        for part in ("src", "bgr"):
            (tmp_path / part).mkdir(exist_ok=True)
            rgb = {"R": holed if part == broken else values, "G": values, "B": values}
            files.exr(tmp_path / part / f"{name}.exr", rgb)
    said = []
    frames = pictures(tmp_path / "src", tmp_path / "bgr")
    predict(networks.base, frames, PictureSink(tmp_path / "out", ["com"]), say=said.append)
    kind = {"src": "shot", "bgr": "plate"}[broken]
    (sentence,) = (x for x in said if "no number" in x)
    assert sentence.startswith(f"1: 3 pixels of the {kind}")
    assert read_encoded(tmp_path / "out/com/2.exr")[0].isfinite().all()


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_an_avif_of_8_bits_has_lost_nothing(tmp_path):
    assert dropped(files.picture(tmp_path / "8.avif", files.shades())) == []


def test_an_avif_of_10_bits_says_that_it_is_read_with_8(tmp_path):
    try:
        path = clips.write_clip(
            tmp_path / "10.avif", 1, encoder="libsvtav1", pixels="yuv420p10le", container="avif"
        )
    except (ValueError, clips.av.FFmpegError):
        pytest.skip("FFmpeg without an AV1 encoder or AVIF")
    assert "more than 8 bits is read with 8" in dropped(path)[0]


def test_an_interlaced_clip_is_said(tmp_path, capsys):
    plate = files.picture(tmp_path / "plate.png", np.zeros((48, 64, 3), np.uint8))
    fields = clips.write_clip(tmp_path / "fields.mkv", options={"flags": "+ildct+ilme"})
    open_frames(str(fields), str(plate))
    said = capsys.readouterr().out.replace("\n", "")
    assert "fields.mkv: it is interlaced" in said
    assert "bwdif" in said
    whole = clips.write_clip(tmp_path / "whole.mkv")
    open_frames(str(whole), str(plate))
    assert not capsys.readouterr().out


def test_a_clip_with_alpha_is_said(tmp_path, capsys):
    plate = files.picture(tmp_path / "plate.png", np.zeros((48, 64, 3), np.uint8))
    clip = clips.write_clip(tmp_path / "cut.mov", encoder="prores_ks", pixels="yuva444p10le")
    open_frames(str(clip), str(plate))
    assert f"cut.mov: {ALPHA}" in capsys.readouterr().out.replace("\n", "")


def test_cmyk_of_16_bits_is_refused(tmp_path):
    profile = bytearray(files.srgb_profile())
    profile[16:20] = b"CMYK"
    path = files.deep(tmp_path / "cmyk.tif", shades(3).astype(np.uint16) * 257, bytes(profile))
    with pytest.raises(BadInput, match="is CMYK of 16 bits, whose profile is not applied"):
        read_encoded(path)


def test_a_broken_file_is_left_to_who_reads_it(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    plate = files.picture(tmp_path / "plate.png", files.shades())
    with pytest.raises(BadInput, match=r"a\.png"):
        open_frames(str(tmp_path / "a.png"), str(plate))


def test_gray_with_transparency_counts(tmp_path):
    Image.new("LA", (8, 8), (9, 9)).save(tmp_path / "la.png")
    assert ALPHA in dropped(tmp_path / "la.png")[0]


def test_other_layers_of_an_exr_are_named(tmp_path):
    plane = np.full((8, 8), 0.5)
    layers = {f"left.{c}": plane for c in "RGB"} | {"right.R": plane, "depth.Z": plane}
    (said,) = dropped(files.exr(tmp_path / "layers.exr", layers))
    assert said.startswith("its colours are left.R, left.G, left.B, left out are ")
    assert "right.R" in said
    assert "depth.Z" in said


@pytest.mark.parametrize(
    ("window", "display", "says"),
    [
        ((0, 0, 9, 7), (0, 0, 9, 7), []),
        ((2, 1, 11, 8), (0, 0, 19, 19), []),
        ((-2, -1, 7, 6), (0, 0, 7, 6), ["24 pixels outside its display window are left out"]),
        ((5, 5, 14, 12), (5, 5, 14, 12), [r"its display window begins at \(5, 5\), which is"]),
        ((0, 0, 9, 7), (20, 0, 29, 7), ["80 pixels outside its", r"begins at \(20, 0\)"]),
    ],
)
def test_overscan_and_the_place_of_the_display_window_are_said(tmp_path, window, display, says):
    rgb = dict.fromkeys("RGB", np.full((8, 10), 0.5))
    said = dropped(files.exr(tmp_path / "a.exr", rgb, window, display))
    assert len(said) == len(says)
    assert all(re.search(*pair) for pair in zip(says, said, strict=True))


def test_other_parts_of_an_exr_are_named(tmp_path):
    plane = np.full((8, 8), 0.5)
    views = {view: dict.fromkeys("RGB", plane) for view in ("left", "right")}
    (said,) = dropped(files.exr_parts(tmp_path / "views.exr", views))
    assert "left out are right:R, right:G, right:B" in said
    split = {f"rgba.{name}": {name: plane} for name in "RGB"}
    assert dropped(files.exr_parts(tmp_path / "split.exr", split)) == []


def tiff(path, x, photometric, more=()):
    """An uncompressed TIFF of whole numbers (H, W, C), with more tags: number, type, values."""
    H, W, channels = x.shape
    bits, data = x.dtype.itemsize * 8, x.tobytes()
    tags = [(256, "H", [W]), (257, "H", [H]), (258, "H", [bits] * channels), (259, "H", [1])]
    tags += [(262, "H", [photometric]), (273, "I", [8]), (277, "H", [channels]), (278, "H", [H])]
    tags, late = sorted([*tags, (279, "I", [len(data)]), *more]), b""
    directory, behind = struct.pack("<H", len(tags)), 8 + len(data) + 6 + 12 * len(tags)
    for number, kind, values in tags:
        value = struct.pack(f"<{len(values)}{kind}", *values)
        if len(value) > 4:
            value, late = struct.pack("<I", behind + len(late)), late + value
        directory += struct.pack("<HHI", number, {"H": 3, "I": 4}[kind], len(values))
        directory += value.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<I", 8 + len(data))
    path.write_bytes(head + data + directory + b"\0" * 4 + late)
    return path


RGB, PALETTE = 2, 3


@pytest.mark.parametrize(
    ("x", "photometric", "more", "says"),
    [
        (shades(3).astype(np.uint32) << 24, RGB, [], "its 32 bits a channel are read with 16"),
        (
            (shades(3)[..., :1]).astype(np.uint16) << 8,
            PALETTE,
            [(320, "H", list(range(65536)) * 3)],
            "its 16 bits a channel are read with 8",
        ),
        (shades(6), RGB, [(338, "H", [0, 0, 0])], "its colours and alpha are left out (3 of 6)"),
        (shades(4), RGB, [(338, "H", [0])], "its colours and alpha are left out (1 of 4)"),
        (shades(6).astype(np.uint16) << 8, RGB, [(338, "H", [0] * 3)], "left out are channel3"),
        (shades(3), RGB, [], None),
        (shades(3).astype(np.uint16) << 8, RGB, [], None),
        (shades(4), RGB, [(338, "H", [2])], ALPHA),
    ],
)
def test_what_a_tiff_loses_is_said(tmp_path, x, photometric, more, says):
    said = dropped(tiff(tmp_path / "a.tif", x, photometric, more))
    assert len(said) == (says is not None)
    assert not said or says in said[0]


def test_what_else_a_video_holds_is_said(tmp_path, capsys):
    path = tmp_path / "two.mkv"
    with clips.av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        chapter = {"id": 1, "start": 0, "end": 40, "time_base": Fraction(1, 1000), "metadata": {}}
        container.set_chapters([chapter])
        for stream in streams:
            for _ in range(2):
                frame = clips.av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8))
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    open_frames(str(path), str(files.picture(tmp_path / "plate.png", np.zeros((48, 64, 3), "u1"))))
    said = capsys.readouterr().out.replace("\n", " ")
    assert "its other video tracks (1), its chapters (1) are left out" in said


def test_a_shot_that_is_its_own_plate_is_said(tmp_path, capsys):
    shot = files.picture(tmp_path / "shot.png", files.shades())
    (tmp_path / "link.png").symlink_to(shot)
    for plate in (shot, tmp_path / "link.png"):
        open_frames(str(shot), str(plate))
        assert "is the shot itself: nothing" in capsys.readouterr().out.replace("\n", " ")
