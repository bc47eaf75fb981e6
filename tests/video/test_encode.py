"""What is written comes back: colours, alpha, times, audio, timecode, pixel aspect."""

import resource
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from bgm.colour import Encoding, to_display
from bgm.errors import BadInput
from bgm.video.colour_tags import ColourTags
from bgm.video.decode import decode, read_header
from bgm.video.encode import VideoFile
from bgm.video.frame_reader import FrameReader
from bgm.video.frame_values import frame_of
from bgm.video.video_formats import VIDEO_FORMATS, coding_of
from tests.video.clips import RATE, H, W, alphas, av, flat, heard, ramps, write_clip

BT709, HLG, PQ = Encoding("bt709", "bt709"), Encoding("bt2020", "hlg"), Encoding("bt2020", "pq")
P3 = Encoding("p3", "bt709")
ALPHA = [name for name, form in VIDEO_FORMATS.items() if form.alpha]


def write(path, form, count=6, *, channels=3, size=(H, W), picture=ramps, **options):
    file = VideoFile(path, form, size, RATE, channels=channels, **options)
    for i in range(count):
        x = picture(i, size)
        x = x[:1] if channels == 1 else x
        file.write(torch.cat([x, soft(i, size)]) if channels == 4 else x, i / RATE)
    file.finish()
    return file


def soft(i, size=(H, W)):
    """An alpha that is smooth, with all of 0 and all of 1 in it, (1, H, W)."""
    x = torch.linspace(-0.3, 1.3, size[1]).clamp(0, 1).expand(1, *size)
    return x.roll(i, 2)


def left(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("encoding", [BT709, P3, HLG, PQ], ids=lambda e: "-".join(e[:2]))
@pytest.mark.parametrize("form", VIDEO_FORMATS)
def test_colours_and_tags_and_times(tmp_path, form, encoding, channels):
    if channels == 4 and form not in ALPHA:
        with pytest.raises(BadInput, match=f"output={form} cannot hold alpha"):
            write(tmp_path / "a", form, channels=4)
        assert left(tmp_path) == []
        return
    path = tmp_path / f"a{VIDEO_FORMATS[form].suffix}"
    file = write(path, form, channels=channels, encoding=encoding)
    header = read_header(path)
    converted = encoding.transfer in ("hlg", "pq") and form == "webm" and channels > 1
    assert header.encoding == (BT709 if converted else encoding)
    assert any("converted to BT.709" in note for note in file.notes) == converted
    assert abs(header.rate - RATE) < 0.01
    assert left(tmp_path) == [path.name]
    count = 0
    for i, (values, time) in enumerate(decode(path)):
        x = ramps(i)[:1].expand(3, -1, -1) if channels == 1 else ramps(i)
        x = to_display(x, encoding) if converted else x
        # Mapped to a screen, these ramps have edges of full colour, whose chroma is halved.
        assert (values - x).abs().mean() < (2.5 if converted else 1.5) / 255
        assert abs(time - i / RATE) <= (
            Fraction(1, 1000) if path.suffix in (".webm", ".mkv") else 0
        )
        count += 1
    assert count == 6


@pytest.mark.parametrize("size", [(H, W), (17, 5), (48, 33)])
@pytest.mark.parametrize("form", ALPHA)
def test_alpha_survives(tmp_path, form, size):
    path = tmp_path / f"a{VIDEO_FORMATS[form].suffix}"
    write(path, form, 8, channels=4, size=size)
    found = alphas(path)
    expected = torch.cat([soft(i, size) for i in range(8)])
    assert found.shape == expected.shape
    assert (found - expected).abs().mean() < 1 / 255
    assert read_header(path).size == size


def test_ffv1_loses_nothing(tmp_path):
    write(tmp_path / "a.mkv", "ffv1", 3, channels=4)
    for i, (values, _) in enumerate(decode(tmp_path / "a.mkv")):
        assert (values - ramps(i)).abs().max() <= 0.6 / 65535
    assert (alphas(tmp_path / "a.mkv") - torch.cat([soft(i) for i in range(3)])).abs().max() < 1e-5


@pytest.mark.parametrize("form", VIDEO_FORMATS)
@pytest.mark.parametrize("codec", ["aac", "pcm_s16le", "libopus"])
def test_audio_goes_along(tmp_path, form, codec):
    """Copied where the container takes it, else encoded again, which is said; never shorter."""
    suffix = {"aac": ".mp4", "pcm_s16le": ".mov", "libopus": ".mkv"}[codec]
    source = write_clip(tmp_path / f"source{suffix}", 30, audio=codec)
    path = tmp_path / f"a{VIDEO_FORMATS[form].suffix}"
    file = write(path, form, 30, source=read_header(source))
    ((name, seconds),) = heard(source)
    ((found, length),) = heard(path)
    takes = VIDEO_FORMATS[form].audio
    assert (found == name) == (not takes or name.removeprefix("lib") in takes)
    assert any("is encoded again" in note for note in file.notes) == (found != name)
    assert abs(length - seconds) < 0.03  # a packet of AAC or Opus


@pytest.mark.parametrize(
    ("name", "codec", "layout", "form", "becomes"),
    [
        ("a.mkv", "ac3", "5.1(side)", "webm", "opus"),
        ("a.mkv", "pcm_s16le", "2.1", "h264", "aac"),
        ("a.avi", "pcm_u8", "mono", "h264", "aac"),
        ("a.mov", "adpcm_ima_qt", "stereo", "ffv1", "flac"),
        ("a.mov", "pcm_s16le", "5.1", "prores", "pcm_s16le"),
        ("a.mov", "pcm_s16le", "5.1", "webm", None),
    ],
)
def test_audio_of_any_channels_goes_along_or_is_said(tmp_path, name, codec, layout, form, becomes):
    source, rate = tmp_path / name, 44100
    with av.open(str(source), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = H, W, "yuv420p"
        sound = output.add_stream(codec, rate=rate, layout=layout)
        for i in range(13):
            output.mux(stream.encode(frame_of(flat(i), "yuv420p", ColourTags())))
        output.mux(stream.encode(None))
        channels = av.AudioLayout(layout).nb_channels
        wave = (np.sin(np.arange(rate // 2) / 15) * 9000).astype(np.int16)
        chunk = av.AudioFrame.from_ndarray(np.repeat(wave, channels)[None], "s16", layout)
        chunk.sample_rate, chunk.pts, chunk.time_base = rate, 0, Fraction(1, rate)
        output.mux(sound.encode(chunk))
        output.mux(sound.encode(None))
    path = tmp_path / f"out{VIDEO_FORMATS[form].suffix}"
    file = VideoFile(path, form, (H, W), Fraction(25), source=read_header(source))
    for i in range(13):
        file.write(flat(i), Fraction(i, 25))
    file.finish()
    said = " ".join(file.notes)
    if becomes is None:
        assert heard(path) == []
        assert "pcm_s16le audio of 6 channels is left out: output=prores keeps it" in said
        return
    ((found, seconds),) = heard(path)
    assert found == becomes
    assert seconds == pytest.approx(0.5, abs=0.06)
    assert ("encoded again" in said) == (becomes != codec)


@pytest.mark.parametrize("limit", [50_000, 65_000, 80_000, 95_000])
def test_a_disk_that_fills_up_as_a_video_ends_is_no_traceback(tmp_path, limit):
    """FFmpeg writes the end as it closes, also of a file that is given up."""
    code = """
        import resource, signal, sys, torch
        from fractions import Fraction
        from pathlib import Path
        from bgm.errors import BadInput
        from bgm.video.encode import VideoFile
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
        file = VideoFile(Path(sys.argv[1]), "ffv1", (96, 128), Fraction(25))
        pictures = torch.rand(8, 3, 96, 128, generator=torch.Generator().manual_seed(0))
        try:
            for i, picture in enumerate(pictures):
                file.write(picture, Fraction(i, 25))
            file.finish()
        except BadInput as error:
            file.discard()
            print(error)
    """
    words = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "a.mkv"), str(limit)]
    run = subprocess.run(words, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "cannot write video" in run.stdout
    assert "Traceback" not in run.stderr
    assert not list(tmp_path.iterdir())


def test_audio_before_the_first_picture_is_left_out_with_a_sentence(tmp_path):
    late = [Fraction(1) + i / RATE for i in range(5)]
    source = write_clip(tmp_path / "a.mkv", 5, times=late, audio="flac", seconds=2)
    header = read_header(source)
    assert header.start == 1
    file = VideoFile(tmp_path / "b.mkv", "ffv1", (H, W), RATE, source=header)
    for i in range(5):
        file.write(torch.zeros(3, H, W), i / RATE)
    file.finish()
    assert "1.00 s of its audio, before its first picture, are left out" in file.notes


def test_all_audio_tracks_go_along_in_time(tmp_path):
    """Sound that begins after the pictures still does, also where clocks do not begin at 0."""
    with av.open(str(tmp_path / "source.mkv"), "w") as output:
        video = output.add_stream("libx264", rate=25)
        video.height, video.width, video.pix_fmt = H, W, "yuv420p"
        sounds = [output.add_stream("pcm_s16le", rate=48000, layout="mono") for _ in range(2)]
        sounds[1].metadata["language"] = "ger"
        for i in range(25):
            frame = av.VideoFrame(W, H, "yuv420p")
            frame.pts, frame.time_base = 50 + i, Fraction(1, 25)  # from 2.0 s
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for sound in sounds:
            for k in range(10):
                samples = np.full((1, 2400), 900, np.int16)
                chunk = av.AudioFrame.from_ndarray(samples, "s16", "mono")
                chunk.sample_rate, chunk.pts = 48000, 48000 * 5 // 2 + 2400 * k  # from 2.5 s
                chunk.time_base = Fraction(1, 48000)
                output.mux(sound.encode(chunk))
            output.mux(sound.encode(None))
    header = read_header(tmp_path / "source.mkv")
    write(tmp_path / "a.mov", "prores", 25, source=header)
    with av.open(str(tmp_path / "a.mov")) as found:
        assert [s.metadata.get("language") for s in found.streams.audio] == [None, "ger"]
        for index in range(2):
            found.seek(0)
            stream = found.streams.audio[index]
            first = next(f for f in found.decode(stream) if f.to_ndarray().any())
            assert abs(first.time - 0.5) < 0.06


@pytest.mark.parametrize("form", VIDEO_FORMATS)
def test_timecode_and_pixel_aspect(tmp_path, form):
    source = write_clip(
        tmp_path / "source.mov", rate=Fraction(25), aspect=Fraction(64, 45), timecode="10:00:00:12"
    )
    path = tmp_path / f"a{VIDEO_FORMATS[form].suffix}"
    file = write(path, form, source=read_header(source))
    header = read_header(path)
    assert header.timecode == "10:00:00:12"
    kept = VIDEO_FORMATS[form].holds_pixel_aspect
    assert header.pixel_aspect == (Fraction(64, 45) if kept else 1)
    assert any("square" in note for note in file.notes) == (not kept)


def test_a_relative_name_with_a_colon_is_no_protocol(tmp_path, monkeypatch):
    """Read, audio and all, read by number, and written."""
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "take:1.mp4", 6, audio="aac")
    header = read_header("take:1.mp4")
    write(Path("cut:1.mov"), "prores", source=header)
    assert len(list(decode("cut:1.mov"))) == 6
    assert [codec for codec, _ in heard(tmp_path / "cut:1.mov")] == ["aac"]
    assert FrameReader("take:1.mp4").read(5).shape == (H, W, 3)


MASTERED = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
SCREEN = (34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450)  # of 50,000


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("form", VIDEO_FORMATS)
def test_hdr10_metadata_is_kept_or_said(tmp_path, form, channels):
    """A matte has none, nor has what becomes BT.709."""
    params = {"x265-params": f"log-level=error:bframes=0:{MASTERED}:max-cll=1000,400"}
    tags = {"tags": ColourTags(9, 16, 9), "pixels": "yuv420p10le", "options": params}
    source = read_header(write_clip(tmp_path / "source.mp4", 1, encoder="libx265", **tags))
    assert source.hdr.screen == (*(Fraction(n, 50_000) for n in SCREEN), Fraction(1, 200), 1000)
    assert source.hdr.light == (1000, 400)
    path = tmp_path / f"a{VIDEO_FORMATS[form].suffix}"
    file = write(path, form, 2, channels=channels, encoding=PQ, source=source)
    kept = form in ("h264", "h265", "av1") and channels == 3
    found = read_header(path).hdr
    assert found.light == (source.hdr.light if kept else ())
    assert [float(x) for x in found.screen] == pytest.approx(
        [float(x) for x in source.hdr.screen] if kept else [], rel=1e-3, abs=2e-3
    )
    lost = channels == 3 and form in ("prores", "prores422", "ffv1")
    assert any("its HDR10 metadata (mastering" in note for note in file.notes) == lost
    assert source.dropped == []
    changing = source._replace(hdr=source.hdr._replace(dynamic=True))
    assert changing.dropped == ["its dynamic HDR metadata (HDR10+, Dolby Vision) is left out"]


def test_a_varying_frame_rate_is_kept(tmp_path):
    times = [Fraction(t, 30) for t in (0, 1, 4, 5, 9)]
    file = VideoFile(tmp_path / "a.mov", "prores", (H, W), Fraction(30))
    for i, time in enumerate(times):
        file.write(flat(i), time)
    file.finish()
    assert [time for _, time in decode(tmp_path / "a.mov")] == times


def test_a_video_of_one_frame_lasts_one_frame(tmp_path):
    write(tmp_path / "a.mp4", "h264", 1)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.duration * stream.time_base == 1 / RATE


def test_players_find_hevc(tmp_path):
    write(tmp_path / "a.mp4", "h265", 2)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    """A limit on the size of files refuses the write as a full disk does; in every format."""
    code = """
        import resource, signal, sys, torch
        from fractions import Fraction
        from pathlib import Path
        from bgm.errors import BadInput
        from bgm.video.encode import VideoFile
        from bgm.video.video_formats import VIDEO_FORMATS
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        for name, form in VIDEO_FORMATS.items():
            path = Path(sys.argv[1], name + form.suffix)
            try:
                file = VideoFile(path, name, (96, 128), Fraction(25))
                try:
                    for i in range(60):
                        file.write(torch.rand(3, 96, 128), Fraction(i, 25))
                    file.finish()
                except BadInput:
                    file.discard()
                    raise
            except BadInput as error:
                print(error)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    said = run.stdout.splitlines()
    for (name, form), line in zip(VIDEO_FORMATS.items(), said, strict=True):
        assert line.startswith(f"cannot write video {tmp_path / (name + form.suffix)} (")
        assert "File too large" in line
    assert left(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 30_000


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="cannot write video"):
        VideoFile(tmp_path / "file/a.mov", "prores", (H, W), RATE)
    assert left(tmp_path) == ["file"]


def test_what_can_hold_alpha_is_named():
    with pytest.raises(BadInput, match="take one of prores, webm, ffv1"):
        coding_of("h265", size=(2, 2), alpha=True)


@pytest.mark.parametrize("form", VIDEO_FORMATS)
def test_the_least_size_of_a_format_can_be_written(tmp_path, form):
    """In a process of its own: an encoder that breaks memory takes the program with it."""
    least = VIDEO_FORMATS[form].least
    code = """
        import sys, torch
        from fractions import Fraction
        from pathlib import Path
        from bgm.video.encode import VideoFile
        form, path, H, W = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
        file = VideoFile(path, form, (H, W), Fraction(25))
        for i in range(12):
            file.write(torch.rand(3, H, W), Fraction(i, 25))
        file.finish()
    """
    path = tmp_path / f"a{VIDEO_FORMATS[form].suffix}"
    words = [sys.executable, "-c", textwrap.dedent(code), form, str(path), *map(str, least)]
    run = subprocess.run(words, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert read_header(path).size == least
