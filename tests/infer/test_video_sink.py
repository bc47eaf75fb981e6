"""From videos to videos: what the network gave is in the files, with all that the source had."""

import sys
from fractions import Fraction

import pytest
import torch

from bgm.colour import Encoding
from bgm.errors import BadInput
from bgm.infer.any_size import Matte, run_any_size
from bgm.infer.frame import Frame, Shot
from bgm.infer.options import open_frames, open_sink
from bgm.infer.predict import predict
from bgm.infer.sources import read_shot, video
from bgm.infer.video_sink import VideoSink
from bgm.pictures import pixel_aspect, write_png
from bgm.types import Refined
from bgm.video.colour_tags import ColourTags
from bgm.video.decode import decode, read_header
from tests.infer import networks
from tests.test_line import script
from tests.video.clips import RATE, H, W, alphas, av, flat, heard, ramps, write_clip
from tests.video.test_damage import FAST, damage, noise


def left(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def write_plate(path, value=0.0, size=(H, W)):
    write_png(path, torch.full((3, *size), round(value * 255), dtype=torch.uint8))
    return path


class KeepsAlphas:
    """A network whose alpha is the brightest channel, blurred by nothing; keeps what it gave."""

    def __init__(self):
        self.given = []

    def __call__(self, src, bgr) -> Refined:
        pha = src.amax(1, keepdim=True)
        self.given.append(pha[0, 0, :H, :W].clone())
        small = torch.nn.functional.interpolate(pha, scale_factor=0.25)
        return Refined(pha, src.clone(), small, small.expand(-1, 3, -1, -1), small, small)


@pytest.mark.parametrize("output", ["prores", "webm", "ffv1"])
def test_alpha_frames_rate_and_audio_are_those_of_the_clip(tmp_path, output):
    source = write_clip(tmp_path / "shot.mp4", 45, picture=ramps, audio="aac")
    clip = video(source, write_plate(tmp_path / "plate.png"))
    net, said = KeepsAlphas(), []
    sink = VideoSink(
        tmp_path / "out",
        ["com"],
        rate=clip.rate,
        output=output,
        source=clip.header,
        say=said.append,
    )
    assert predict(net, clip, sink, say=said.append) == 45
    (name,) = left(tmp_path / "out")
    path = tmp_path / "out" / name
    found = alphas(path)
    assert len(found) == len(net.given) == 45
    assert (found - torch.stack(net.given)).abs().mean() < 1 / 255
    assert abs(read_header(path).rate - RATE) < 0.01
    ((_, before),), ((_, after),) = heard(source), heard(path)
    assert abs(before - after) < 0.03
    assert any("encoded again as opus" in s for s in said) == (output == "webm")


@pytest.mark.parametrize("background", [None, "#ff0000"])
def test_from_video_to_videos(tmp_path, background):
    path = write_clip(tmp_path / "my shot.mp4")
    clip = video(path, write_plate(tmp_path / "plate.png"))
    sink = VideoSink(tmp_path / "out", ["com", "pha"], background, rate=clip.rate)
    assert predict(networks.refine, clip, sink, say=lambda _: None) == 6
    com = "com/my shot.mov" if background is None else "com/my shot.mp4"
    assert left(tmp_path / "out") == [com, "pha/my shot.mp4"]
    for name in (com, "pha/my shot.mp4"):
        assert [t for _, t in decode(tmp_path / "out" / name)] == [i / RATE for i in range(6)]
    for i, (values, _) in enumerate(decode(tmp_path / "out/pha/my shot.mp4")):
        assert abs(values.mean() - flat(i).max()) < 0.015  # the largest difference of a channel


@pytest.mark.parametrize("tags", [(9, 18, 9), (9, 16, 9), (12, 1, 1), (6, 6, 6), (1, 1, 1)])
def test_colours_come_back_where_nothing_is_changed(tmp_path, tags):
    """Also HLG and PQ, in their own numbers and with their own tags."""
    tags = ColourTags(*tags)
    path = write_clip(
        tmp_path / "shot.mov",
        2,
        encoder="prores_ks",
        pixels="yuv444p10le",
        tags=tags,
        picture=ramps,
    )
    if tags.transfer in (1, 6) and tags.primaries != 12:
        tags = read_header(path).tags  # ProRes writes BT.601's transfer as BT.709's
    clip = video(path, write_plate(tmp_path / "plate.png"))
    sink = VideoSink(tmp_path / "out", ["fgr"], rate=clip.rate, output="prores")
    predict(KeepsAlphas(), clip, sink, say=lambda _: None)
    found = tmp_path / "out/fgr/shot.mov"
    assert read_header(found).encoding == tags.encoding
    for (before, _), (after, _) in zip(decode(path), decode(found), strict=True):
        assert (before - after).abs().mean() < 0.5 / 255


def matte_of(pha, fgr):
    nothing = torch.zeros(1, 1, *pha.shape[-2:])
    return Matte(pha, fgr, nothing, None, tuple(pha.shape[-2:]))


@pytest.mark.parametrize("varies", [True, False])
def test_times_that_pictures_cannot_hold_are_said(tmp_path, capsys, varies):
    times = [Fraction(i, 30) for i in ((0, 1, 4, 5, 9) if varies else range(5))]
    path = write_clip(tmp_path / "shot.mp4", 5, rate=Fraction(30), times=times)
    clip = video(path, write_plate(tmp_path / "plate.png"))
    open_sink(clip, str(tmp_path / "out"), ["fgr"], None, output="png")
    assert ("its varying frame rate is not written" in capsys.readouterr().out) == varies


def test_hdr10_metadata_that_pictures_cannot_hold_is_said(tmp_path, capsys):
    options = {"x265-params": "log-level=error:bframes=0:max-cll=1000,400"}
    tags = {"tags": ColourTags(9, 16, 9), "pixels": "yuv420p10le", "options": options}
    path = write_clip(tmp_path / "shot.mp4", 1, encoder="libx265", **tags)
    clip = video(path, write_plate(tmp_path / "plate.png"))
    open_sink(clip, str(tmp_path / "out"), ["fgr"], None, output="exr")
    assert "its HDR10 metadata is not written" in capsys.readouterr().out


@pytest.mark.parametrize(("output", "suffix"), [("png", "png"), ("png16", "png"), ("exr", "exr")])
def test_a_video_becomes_numbered_pictures(tmp_path, output, suffix, capsys):
    aspect = Fraction(16, 11)
    path = write_clip(tmp_path / "shot.mov", 3, audio="aac", aspect=aspect, timecode="01:00:00:00")
    clip = video(path, write_plate(tmp_path / "plate.png"))
    sink = open_sink(clip, str(tmp_path / "out"), ["fgr"], None, output=output)
    predict(KeepsAlphas(), clip, sink, say=lambda _: None)
    names = [f"fgr/shot/shot.{i:06d}.{suffix}" for i in (1, 2, 3)]
    assert left(tmp_path / "out") == names
    assert "its audio and timecode is not written" in capsys.readouterr().out
    assert abs(pixel_aspect(tmp_path / "out" / names[2]) - aspect) < 0.01
    assert len(sink.existing("shot", 3)) == 3
    assert sink.existing("shot", 4) is sink.existing("shot", 0) is None
    values = read_shot(tmp_path / "out" / names[2]).display
    assert (values.mean((1, 2)) - flat(2).mean((1, 2))).abs().max() < 0.02


def test_pictures_of_a_longer_clip_of_the_same_name_are_said(tmp_path, capsys):
    plate = write_plate(tmp_path / "plate.png")
    for frames in (5, 3):
        clip = video(write_clip(tmp_path / "shot.mov", frames), plate)
        sink = open_sink(clip, str(tmp_path / "out"), ["pha"], None, output="png")
        predict(KeepsAlphas(), clip, sink, say=lambda _: None)
    said = capsys.readouterr().out
    assert said.count("pha/shot holds 2 pictures after the 3 of this clip") == 1


@pytest.mark.parametrize("alpha", ["straight", "premultiplied"])
def test_straight_and_premultiplied(tmp_path, alpha):
    pha = torch.linspace(0, 1, W).expand(1, 1, H, W)
    fgr = torch.full((1, 3, H, W), 0.8)
    frame = Frame("a", Shot(fgr[0]), Shot(fgr[0]), Fraction(0))
    with VideoSink(tmp_path, ["com"], rate=25, output="ffv1", alpha=alpha) as sink:
        sink.write(frame, matte_of(pha, fgr))
    ((values, _),) = decode(tmp_path / "com/a.mkv")
    expected = 0.8 * pha[0] if alpha == "premultiplied" else 0.8 * (pha[0] >= 0.5 / 255)
    assert (values - expected).abs().max() < 1e-3
    assert (alphas(tmp_path / "com/a.mkv")[0] - pha[0, 0]).abs().max() < 1e-3


def test_a_damaged_middle_leaves_the_part_before_it(tmp_path):
    path = write_clip(
        tmp_path / "shot.mp4", 60, picture=noise, options={"g": "10"}, container_options=FAST
    )
    damage(path, 0.6, 2000)
    clip = video(path, write_plate(tmp_path / "plate.png"))
    sink = VideoSink(tmp_path / "out", ["com", "pha"], rate=clip.rate, source=clip.header)
    says = r"shot\.mp4 (is damaged|cannot be read).*; the \d+ frames before are kept in .*shot\.inc"
    net = KeepsAlphas()
    with pytest.raises(BadInput, match=says) as caught:
        predict(net, clip, sink, say=lambda _: None)
    assert left(tmp_path / "out") == ["com/shot.incomplete.mov", "pha/shot.incomplete.mp4"]
    count = int(str(caught.value).split("; the ")[1].split()[0])
    for name in left(tmp_path / "out"):
        assert sum(1 for _ in decode(tmp_path / "out" / name)) == count == len(net.given) > 10


def test_a_part_goes_when_the_whole_comes(tmp_path):
    (tmp_path / "com").mkdir()
    (tmp_path / "com/a.incomplete.mov").write_text("of an earlier run")
    found = run_any_size(networks.base, *torch.rand(2, 1, 3, H, W))
    with VideoSink(tmp_path, ["com"], rate=25) as sink:
        sink.write(Frame("a", Shot(flat(0)), Shot(flat(1)), Fraction(0)), found)
    assert left(tmp_path) == ["com/a.mov"]


@pytest.mark.parametrize("error", [RuntimeError("a defect"), KeyboardInterrupt()])
def test_a_run_that_fails_leaves_no_video(tmp_path, error):
    found = run_any_size(networks.base, *torch.rand(2, 1, 3, H, W))
    partial = []

    def fail():
        with VideoSink(tmp_path, rate=25) as sink:
            for i in range(80):  # until the encoders hand out their first packets
                sink.write(Frame("a", Shot(flat(0)), Shot(flat(1)), Fraction(i, 25)), found)
            partial.extend(left(tmp_path))
            raise error

    with pytest.raises(type(error)):
        fail()
    assert partial
    assert list(tmp_path.rglob("*")) == []


def test_a_sink_finishes_one_clip_before_the_next(tmp_path):
    found = run_any_size(networks.base, *torch.rand(2, 1, 3, H, W))
    with VideoSink(tmp_path, ["com"], rate=25, output="webm") as sink:
        for name in ("a", "x/b"):
            for i in range(2):
                sink.write(Frame(name, Shot(flat(0)), Shot(flat(1)), Fraction(i, 25)), found)
    assert left(tmp_path) == ["com/a.webm", "com/x/b.webm"]


def test_a_clip_with_a_picture_or_a_video_as_plate(tmp_path):
    path = write_clip(tmp_path / "shot.mp4")
    write_plate(tmp_path / "plate.png", 0.5)
    write_clip(tmp_path / "plate.mov", encoder="prores_ks", pixels="yuv444p10le")
    for plate in ("plate.png", "plate.mov"):
        clip = video(path, tmp_path / plate)
        frames = list(clip)
        assert (len(frames), clip.rate, clip.frames) == (6, RATE, 6)
        assert [f.time for f in frames] == [i / RATE for i in range(6)]
        assert {f.name for f in frames} == {"shot"}
        colour = torch.full((3,), 128 / 255) if plate == "plate.png" else flat(2).mean((1, 2))
        assert (frames[2].bgr.values.mean((1, 2)) - colour).abs().max() <= 0.01


def test_clips_that_cannot_be_matted(tmp_path):
    path = write_clip(tmp_path / "shot.mp4", container_options=FAST)
    short = write_clip(tmp_path / "short.mp4", 3)
    write_plate(tmp_path / "plate.png", size=(H - 1, W))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(path.read_bytes()[:-300])
    for src, bgr, says in [
        (path, None, "needs a plate"),
        (path, tmp_path, "is a folder"),
        (path, tmp_path / "nothing.png", "does not exist"),
        (
            path,
            tmp_path / "plate.png",
            rf"shot\.mp4 is {W}x{H} but bgr .*plate\.png is {W}x{H - 1}",
        ),
        (cut, short, r"cut\.mp4 is cut off"),
        (path, cut, r"cut\.mp4 is cut off"),
        (tmp_path / "nothing.mp4", short, "does not exist"),
    ]:
        with pytest.raises(BadInput, match=says):
            video(src, bgr)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"output": "gif"}, "prores, prores422"),
        ({"output": "h265"}, "output=h265 cannot hold alpha"),
        ({"output": "av1"}, "output=av1 cannot hold alpha"),
        ({"alpha": "dirty"}, "straight, premultiplied"),
        ({"rate": 0}, "above 0"),
        ({"outputs": ["x"]}, "com"),
    ],
)
def test_options_of_the_sink(tmp_path, options, says):
    with pytest.raises(BadInput, match=says):
        VideoSink(tmp_path / "out", **{"rate": 25, **options})


@pytest.mark.parametrize("size", [(32, 48), (8, 64), (257, 33)])
def test_sizes_that_break_x265_are_refused_before_anything_is_computed(tmp_path, size):
    header = video(*(write_clip(tmp_path / "a.mkv", 1, encoder="ffv1", size=size),) * 2).header
    with pytest.raises(BadInput, match="output=h265 takes no pictures below 64x16, found"):
        VideoSink(tmp_path / "out", ["pha"], rate=25, output="h265", source=header)
    VideoSink(tmp_path / "out", ["pha"], rate=25, output="h264", source=header)


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "shot.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    for call in (lambda: video(path, path), lambda: VideoSink(tmp_path / "out", rate=25)):
        with pytest.raises(BadInput, match=r"pip install 'bgm-matting\[video\]'"):
            call()


def test_the_command_line_names_a_cut_file_with_code_1(tmp_path, capsys):
    path = write_clip(tmp_path / "shot.mp4", 30, picture=ramps, container_options=FAST)
    path.write_bytes(path.read_bytes()[:-400])
    write_plate(tmp_path / "plate.png")
    words = [f"src={path}", f"bgr={tmp_path}/plate.png", f"out={tmp_path}/out"]
    assert script("predict", *words) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "shot.mp4 is cut off" in said
    assert not (tmp_path / "out").exists()
    assert av


def test_linear_of_a_video_is_refused(tmp_path):
    path = write_clip(tmp_path / "a.mp4", 1)
    with pytest.raises(BadInput, match="linear=True is for pictures"):
        open_frames(str(path), str(path), linear=True)


def test_a_background_behind_hlg_is_shown_as_it_is_in_webm(tmp_path):
    """HLG is mapped to the screen before it is laid over it, so that gray stays that gray."""
    src = Shot(torch.full((3, H, W), 0.6), Encoding("bt2020", "hlg"))
    pha = torch.zeros(1, 1, H, W)
    matte = Matte(pha, src.values[None], pha, None, (H, W))
    options = {"rate": RATE, "output": "webm", "say": (said := []).append}
    with VideoSink(tmp_path, ["com"], "#808080", **options) as sink:
        sink.write(Frame("a", src, src, Fraction(0)), matte)
    ((values, _),) = decode(tmp_path / "com/a.webm")
    assert (values - 128 / 255).abs().mean() < 2 / 255
    assert len(said) == 1
