"""The script's own main over clips: resuming them, plates that end, what is not written over."""

import pytest
from PIL import Image

from bgm.infer import sources
from bgm.pictures.size_limit import LIMIT_KEY
from tests.test_line import script
from tests.video.clips import write_clip


@pytest.fixture
def words(tmp_path):
    write_clip(tmp_path / "shot.mp4")
    write_clip(tmp_path / "plate.mp4", 8)
    return [f"src={tmp_path}/shot.mp4", f"bgr={tmp_path}/plate.mp4", f"out={tmp_path}/out"]


@pytest.fixture
def counts(monkeypatch):
    """What headers say of the number of frames, by the name of the file."""
    found, read = {}, sources.read_header

    def read_header(path):
        header = read(path)
        return header._replace(frames=found.get(header.path.name, header.frames))

    monkeypatch.setattr(sources, "read_header", read_header)
    return found


@pytest.mark.parametrize("said", [0, 4, 9])  # by the header, of 6: of a Matroska, of edit lists
def test_a_sequence_that_ended_is_whole_whatever_the_header_says(
    tmp_path, quick, words, counts, capsys, said
):
    counts["shot.mp4"] = said
    words += ["output=png", "outputs=[pha]", "align=false", "resume=true"]

    def frames_done():
        quick.clear()
        assert script("predict", *words) == 0
        return len(quick)

    assert [frames_done(), frames_done()] == [6, 0]
    assert "6 were whole" in capsys.readouterr().out
    last = tmp_path / "out/pha/shot/shot.000006.png"
    last.unlink()
    assert [frames_done(), frames_done()] == [6, 0]
    assert last.is_file()


def test_a_sequence_that_did_not_end_is_not_whole(tmp_path, quick, words, counts):
    counts["shot.mp4"] = 3
    write_clip(tmp_path / "plate.mp4", 3)
    words += ["output=png", "outputs=[pha]", "align=false", "resume=true"]
    for _ in range(2):
        assert script("predict", *words) == 1
    assert len(list((tmp_path / "out/pha/shot").iterdir())) == 3
    write_clip(tmp_path / "plate.mp4", 8)
    quick.clear()
    assert script("predict", *words) == 0
    assert len(quick) == 6


def test_a_plate_is_refused_only_when_it_has_ended(tmp_path, quick, words, counts, capsys):
    counts["shot.mp4"] = 9
    words += ["outputs=[pha]", "align=false"]
    assert script("predict", *words) == 0
    assert "9 frames by its header, bgr" in capsys.readouterr().out
    assert len(quick) == 6
    write_clip(tmp_path / "plate.mp4", 4)
    assert script("predict", *words) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert "has more than 4 frames but bgr" in error
    assert "the 4 frames before are kept in" in error


def test_a_clip_is_not_written_over_by_its_matte(tmp_path, quick, words, capsys):
    clip = tmp_path / "out/pha/shot.mp4"
    clip.parent.mkdir(parents=True)
    write_clip(clip)
    before = clip.read_bytes()
    words = [f"src={clip}", *words[1:], "outputs=[pha]", "align=false"]
    assert script("predict", *words) == 1
    assert f"{clip} is read as src and would be written over" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_words_of_pictures_are_for_a_video_or_refused(tmp_path, quick, words, capsys, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setenv(LIMIT_KEY, "179")  # both are set by the script
    for word, sentence in (
        ("compression=dwaa", "compression=dwaa is of EXR"),
        ("max_megapixels=0.001", "0.003072 megapixels, more than 0.001 are not allowed"),
    ):
        assert script("predict", *words, "outputs=[pha]", word) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert sentence in line
    assert not (tmp_path / "out").exists()
