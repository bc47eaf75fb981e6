"""Whether a clip's frames are evenly apart is seen without decoding them."""

from contextlib import contextmanager
from fractions import Fraction

import pytest

from bgm.errors import BadInput
from bgm.video import frame_times
from bgm.video.frame_times import has_varying_times
from tests.video.clips import RATE, write_clip


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.avi"])
@pytest.mark.parametrize("rate", [Fraction(25), RATE])
def test_an_even_clip_is_even_in_every_container(tmp_path, name, rate):
    """Matroska rounds times to milliseconds; B-frames are stored in another order."""
    avi = {"encoder": "mjpeg", "pixels": "yuvj420p"}  # it has no order of display
    clip = write_clip(tmp_path / name, 30, rate=rate, **(avi if name == "a.avi" else {}))
    assert not has_varying_times(clip)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("gap", [1, 15, 28])
def test_one_frame_that_is_missing_makes_it_uneven(tmp_path, name, gap):
    times = [Fraction(i + (i >= gap), 30) for i in range(30)]
    assert has_varying_times(write_clip(tmp_path / name, 30, rate=Fraction(30), times=times))


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4", 6)

    @contextmanager
    def broken(_):
        yield Broken(), None

    monkeypatch.setattr(frame_times, "open_video", broken)
    with pytest.raises(BadInput, match=r"a\.mp4 cannot be read \(.*a bad sector"):
        has_varying_times(path)


class Broken:
    """A container whose disk gives up."""

    def demux(self, _):
        raise OSError(5, "a bad sector")


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_frames_to_vary(tmp_path, count):
    assert not has_varying_times(write_clip(tmp_path / "a.mp4", count))
