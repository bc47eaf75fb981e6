import sys
from fractions import Fraction

import numpy as np
import pytest
import torch

from bgm.errors import BadInput
from bgm.infer.any_size import run_any_size
from bgm.infer.decode import decode, read_header
from bgm.infer.encode import CUTOUT, OPAQUE, VideoFile
from bgm.infer.frame import Frame, Shot
from bgm.infer.predict import predict
from bgm.infer.sinks import VideoSink
from bgm.infer.sources import video
from bgm.pictures import write_png
from tests.infer import networks

av = pytest.importorskip("av", reason="the extra `video` is not installed")

H, W, RATE = 32, 48, Fraction(30000, 1001)
COLOURS = torch.tensor([[255, 0, 0], [0, 200, 30], [20, 40, 230], [250, 250, 250], [60, 60, 60]])


def flat(i, alpha=None):
    """A frame of one colour, which no codec can hide."""
    x = COLOURS[i % 5].byte().view(3, 1, 1).expand(3, H, W)
    return x if alpha is None else torch.cat([x, torch.full_like(x[:1], alpha)])


def write(path, count=6, codec=OPAQUE, rate=RATE, times=None, alpha=None):
    file = VideoFile(path, codec, (H, W), rate)
    for i in range(count):
        file.write(flat(i, alpha), times[i] if times else i / rate)
    file.finish()
    return path


def left(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("codec", [OPAQUE, *CUTOUT.values()], ids=["h264", *CUTOUT])
def test_colours_rate_and_times_survive(tmp_path, codec):
    path = write(tmp_path / f"a{codec.suffix}", codec=codec, alpha=None if codec is OPAQUE else 255)
    assert read_header(path)[:2] == ((H, W), RATE)
    for i, (frame, time) in enumerate(decode(path)):
        assert (frame.stored.float().mean((1, 2)) - COLOURS[i % 5]).abs().max() <= 4
        assert abs(time - i / RATE) <= (Fraction(1, 1000) if codec.suffix == ".webm" else 0)
    assert i == 5
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (1, 1)


@pytest.mark.parametrize("name", CUTOUT)
def test_alpha_survives(tmp_path, name):
    path = write(tmp_path / f"a{CUTOUT[name].suffix}", codec=CUTOUT[name], alpha=100)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = stream.codec_context
        if name == "vp9":  # FFmpeg's own decoder drops the alpha
            assert stream.metadata["alpha_mode"] == "1"
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        frames = [f for packet in container.demux(stream) for f in decoder.decode(packet)]
    rgba = frames[0].to_ndarray(format="rgba")
    assert abs(rgba[..., 3].astype(int) - 100).max() <= 2


def test_a_varying_frame_rate_is_kept(tmp_path):
    times = [Fraction(t, 30) for t in (0, 1, 4, 5, 9)]
    path = write(tmp_path / "a.mp4", count=5, times=times, rate=Fraction(30))
    assert [time for _, time in decode(path)] == times


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_rotation_flags_are_applied(tmp_path, degrees):
    picture = np.zeros((H, W, 3), np.uint8)
    picture[: H // 2, : W // 2] = 255  # the top left quarter is white
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = H, W, "yuv420p"
        stream.set_display_rotation(degrees)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    ((frame, _),) = decode(tmp_path / "a.mp4")
    expected = np.rot90(picture, degrees // 90)  # both counterclockwise
    assert read_header(tmp_path / "a.mp4").size == expected.shape[:2] == frame.size
    assert abs(frame.stored.permute(1, 2, 0).numpy().astype(int) - expected).mean() < 4


def test_odd_sizes(tmp_path):
    for codec in (OPAQUE, *CUTOUT.values()):
        path = tmp_path / f"a{codec.suffix}"
        file = VideoFile(path, codec, (17, 5), RATE)
        file.write(torch.zeros(3 if codec is OPAQUE else 4, 17, 5, dtype=torch.uint8), Fraction(0))
        file.finish()
        assert read_header(path).size == (17, 5)


def test_a_clip_with_a_picture_or_a_video_as_plate(tmp_path):
    path = write(tmp_path / "shot.mp4")
    write_png(tmp_path / "plate.png", flat(1))
    write(tmp_path / "plate.mov", codec=CUTOUT["prores"], alpha=255)
    for plate in ("plate.png", "plate.mov"):
        clip = video(path, tmp_path / plate)
        frames = list(clip)
        assert (len(frames), clip.rate, clip.frames) == (6, RATE, 6)
        assert [f.time for f in frames] == [i / RATE for i in range(6)]
        assert {f.name for f in frames} == {"shot"}
        colour = COLOURS[1 if plate == "plate.png" else 2]
        assert (frames[2].bgr.stored.float().mean((1, 2)) - colour).abs().max() <= 2


def test_clips_that_cannot_be_matted(tmp_path):
    path, short = write(tmp_path / "shot.mp4"), write(tmp_path / "short.mp4", count=3)
    write_png(tmp_path / "plate.png", flat(1)[:, 1:])
    (tmp_path / "text.mp4").write_text("no video")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(path.read_bytes()[:300])
    for src, bgr, says in [
        (path, None, "needs a plate"),
        (path, tmp_path, "is a folder"),
        (path, tmp_path / "nothing.png", "does not exist"),
        (path, tmp_path / "plate.png", r"shot\.mp4 is 48x32 but bgr .*plate\.png is 48x31"),
        (path, short, "has 6 frames but bgr .* has 3"),
        (tmp_path / "text.mp4", short, r"text\.mp4 cannot be read"),
        (cut, short, r"cut\.mp4 cannot be read"),
        (tmp_path / "nothing.mp4", short, "does not exist"),
    ]:
        with pytest.raises(BadInput, match=says):
            video(src, bgr)


@pytest.mark.parametrize("background", [None, "#ff0000"])
def test_from_video_to_videos(tmp_path, background):
    path = write(tmp_path / "my shot.mp4")
    write_png(tmp_path / "plate.png", torch.zeros(3, H, W, dtype=torch.uint8))
    clip = video(path, tmp_path / "plate.png")
    sink = VideoSink(tmp_path / "out", ["com", "pha"], background, rate=clip.rate)
    assert predict(networks.refine, clip, sink, say=lambda _: None) == 6
    com = "out/com/my shot.mov" if background is None else "out/com/my shot.mp4"
    assert left(tmp_path / "out") == [com[4:], "pha/my shot.mp4"]
    for name in (com, "out/pha/my shot.mp4"):
        assert [time for _, time in decode(tmp_path / name)] == [i / RATE for i in range(6)]
    pha = [frame.stored.float().mean() for frame, _ in decode(tmp_path / "out/pha/my shot.mp4")]
    expected = COLOURS.amax(1).float()  # the network's alpha is the largest difference
    assert (torch.stack(pha)[:5] - expected).abs().max() <= 4


def test_a_run_that_fails_leaves_no_video(tmp_path):
    found = run_any_size(networks.base, *torch.rand(2, 1, 3, H, W))
    partial = []

    def fail():
        with VideoSink(tmp_path, rate=25) as sink:
            for i in range(80):  # until the encoders hand out their first packets
                sink.write(Frame("a", Shot(flat(0)), Shot(flat(1)), Fraction(i, 25)), found)
            partial.extend(left(tmp_path))
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        fail()
    assert partial
    assert left(tmp_path) == []


@pytest.mark.parametrize(("lines", "space"), [(480, 5), (720, 1)])
def test_untagged_colours_are_read_as_players_do(tmp_path, lines, space):
    green = np.full((lines, lines, 3), (20, 200, 40), np.uint8)
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = lines, lines, "yuv420p"
        frame = av.VideoFrame.from_ndarray(green, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=space)
        frame.colorspace = 2  # FFmpeg's "unspecified"
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    ((frame, _),) = decode(tmp_path / "a.mp4")
    assert (frame.stored.float().mean((1, 2)) - torch.tensor([20, 200, 40])).abs().max() <= 3


def test_a_video_of_one_frame_lasts_one_frame(tmp_path):
    path = write(tmp_path / "a.mp4", count=1)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.duration * stream.time_base == 1 / RATE


def test_a_sink_finishes_one_clip_before_the_next(tmp_path):
    found = run_any_size(networks.base, *torch.rand(2, 1, 3, H, W))
    with VideoSink(tmp_path, ["com"], rate=25, cutout="vp9") as sink:
        for name in ("a", "x/b"):
            for i in range(2):
                sink.write(Frame(name, Shot(flat(0)), Shot(flat(1)), Fraction(i, 25)), found)
    assert left(tmp_path) == ["com/a.webm", "com/x/b.webm"]


@pytest.mark.parametrize(
    ("options", "says"),
    [({"cutout": "gif"}, "prores, vp9"), ({"rate": 0}, "above 0"), ({"outputs": ["x"]}, "com")],
)
def test_options_of_the_sink(tmp_path, options, says):
    with pytest.raises(BadInput, match=says):
        VideoSink(tmp_path / "out", **{"rate": 25, **options})


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "shot.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    for call in (lambda: video(path, path), lambda: VideoSink(tmp_path / "out", rate=25)):
        with pytest.raises(BadInput, match=r"pip install 'bgm\[video\]'"):
            call()
