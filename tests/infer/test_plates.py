"""Plates as people have them: medians, ranges of clips, other sizes, cameras that drift."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from bgm.colour import SRGB
from bgm.errors import BadInput
from bgm.infer.frame import Frame, Shot
from bgm.infer.options import open_frames, open_plate
from bgm.infer.plate.clip_plates import ClipRange, median_shot, parse_range, range_plate
from bgm.infer.plate.fixes import AlignPlate, FitPlate, corners_of, homography_of, plate_fixes
from bgm.pictures import write_png
from bgm.video.encode import VideoFile
from tests.infer import scenes

H, W, MARGIN = 150, 200, 40


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("clip.mp4@0:00-0:03", 0, 3),
        ("a@b/clip.mov@1.5-2", 1.5, 2),
        ("c.mkv@1:00:01-1:00:02.25", 3601, 3602.25),
    ],
)
def test_ranges_are_read(words, start, end):
    found = parse_range(words)
    assert (found.start, found.end) == (start, end)
    assert str(found.path) == words.rpartition("@")[0]


def test_other_words_are_no_range_and_an_end_before_its_start_is_refused():
    for words in ("plate.png", "me@home.png", "clip.mp4@start-end"):
        assert parse_range(words) is None
    with pytest.raises(BadInput, match="ends before it begins"):
        parse_range("clip.mp4@0:05-0:03")


def test_the_median_of_a_folder_in_which_the_subject_moves_is_its_plate(tmp_path):
    plate = scenes.tensor(scenes.scene(40, 60))
    for number in range(7):
        shot = plate.clone()
        shot[:, 10:, number * 8 : number * 8 + 12] = 255
        write_png(tmp_path / f"src/{number}.png", shot)
    assert torch.equal(open_plate(str(tmp_path / "src"), "median").stored, plate)
    frames = list(open_frames(str(tmp_path / "src"), "median"))
    assert len(frames) == 7
    assert all(torch.equal(frame.bgr.stored, plate) for frame in frames)
    write_png(tmp_path / "one/a.png", plate)
    with pytest.raises(BadInput, match="1 frames, at least 5"):
        open_frames(str(tmp_path / "one"), "median")
    with pytest.raises(BadInput, match="needs a video or a folder"):
        open_frames(str(tmp_path / "one/a.png"), "median")
    write_png(tmp_path / "src/7.png", plate[:, :20])
    with pytest.raises(BadInput, match="60x20 but the median of bgr is 60x40"):
        open_frames(str(tmp_path / "src"), "median")


@pytest.mark.parametrize("count", [31, 32, 100, 1000])
def test_a_median_keeps_a_bounded_number_of_pictures_that_lie_evenly(count):
    alive, most = [], 0

    def shots():
        nonlocal most
        for number in range(count):
            shot = Shot(torch.full((3, 2, 2), number / 1000.0), SRGB)
            alive.append(shot)
            yield shot

    found = median_shot(shots(), "here").stored
    assert abs(found[0, 0, 0].item() * 1000 - count / 2) < 0.06 * count + 2


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_medians_equal_numpys_in_every_type(dtype):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 255, (5, 3, 70, 9))
    stack = [torch.from_numpy(x).to(dtype) for x in values]
    found = median_shot(map(Shot, stack), "here").stored
    assert found.dtype == dtype
    assert np.array_equal(found.to(torch.int64).numpy(), np.median(values, axis=0))


def test_a_range_of_a_clip_is_a_plate(tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    file = VideoFile(path, "h264", (64, 96), Fraction(10))
    plate = scenes.tensor(scenes.scene(64, 96) // 2 + 60)
    for number in range(20):
        shot = plate if number < 8 else torch.full_like(plate, 10 * number)
        file.write(Shot(shot).values, Fraction(number, 10))
    file.finish()
    found = open_plate(str(path), f"{path}@0:00-0:00.6")
    assert (found.values - Shot(plate).values).abs().mean() < 0.05
    frames = open_frames(str(path), f"{path}@0-0.6")
    assert next(iter(frames)).bgr.size == (64, 96)
    with pytest.raises(BadInput, match="from 9 to 10 s: 0 frames"):
        open_plate(str(path), f"{path}@9-10")
    late = range_plate(ClipRange(path, Fraction(1), Fraction(1)))
    assert abs(late.values.mean().item() - 100 / 255) < 0.02


def test_a_plate_of_another_size_is_offered_to_be_fitted_and_says_what_was_done(tmp_path):
    big = scenes.scene(80, 120)
    write_png(tmp_path / "src/a.png", scenes.tensor(big[::2, ::2]))
    write_png(tmp_path / "plate.png", scenes.tensor(np.repeat(np.repeat(big, 2, 0), 2, 1)))
    with pytest.raises(BadInput, match=r"60x40 .* 240x160.*fit=true"):
        open_frames(str(tmp_path / "src"), str(tmp_path / "plate.png"))
    (frame,) = open_frames(str(tmp_path / "src"), str(tmp_path / "plate.png"), fit=True)
    fit = plate_fixes(False, False, fit=True)[0]
    bgr, sentence = fit(frame)
    assert sentence == "plate 240x160 scaled to 60x40"
    assert bgr.size == (40, 60)
    assert bgr.stored.dtype == torch.uint8
    assert fit(frame)[0] is bgr


def test_another_aspect_is_cropped_at_the_centre():
    plate = torch.zeros(3, 40, 100, dtype=torch.uint8)
    plate[:, :, 30:70] = 200
    frame = Frame("a", Shot(torch.zeros(3, 80, 80)), Shot(plate))
    bgr, sentence = FitPlate()(frame)
    assert sentence == "plate 100x40 scaled to 200x80, and its centre cropped to 80x80"
    assert (bgr.stored[:, :, 4:-4] == 200).all()
    values = torch.rand(3, 8, 8) * 30
    bright, _ = FitPlate()(Frame("a", Shot(torch.zeros(3, 4, 4)), Shot(values)))
    assert bright.values.max() > 5  # values above 1 are kept


def test_corners_and_homographies_are_each_others_opposite():
    truth = scenes.turn(H, W, px=(5.0, -3.0), degrees=1.5, scale=1.02, bend=4e-5)
    found = homography_of(corners_of(truth, (H, W)), (H, W))
    assert np.allclose(found, truth / truth[2, 2], atol=1e-9)


def test_a_drifting_camera_is_followed_every_few_frames():
    big = scenes.scene(H + 2 * MARGIN, W + 2 * MARGIN)
    follow, once = AlignPlate(every=1), AlignPlate()
    for number in range(4):
        px = (1.0 + 2.5 * number, 1.0 + number)
        plate, shot = scenes.moved_view(big, scenes.turn(H, W, px=px), MARGIN)
        frame = Frame("clip", Shot(scenes.with_subject(shot)), Shot(plate), Fraction(number))
        inner = np.s_[:, 20:40, 20:-20]
        followed, stayed = (
            (fix(frame)[0].values[inner] - Shot(shot).values[inner]).abs().mean()
            for fix in (follow, once)
        )
        assert followed < 0.02
    assert stayed > 3 * followed


def test_auto_says_nothing_of_a_plate_that_lies_right_but_of_one_that_cannot_be_placed():
    plate = scenes.tensor(scenes.scene(H, W))
    other = scenes.tensor(scenes.scene(H, W, seed=7))
    (auto,), (always,) = plate_fixes("auto", False), plate_fixes(True, False)
    right = Frame("a", Shot(scenes.with_subject(plate)), Shot(plate))
    assert auto(right) == (right.bgr, "")
    assert "already" in always(right)[1]
    assert "not moved" in auto(Frame("b", Shot(other), Shot(plate)))[1]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"align": "maybe"}, "align is maybe"),
        ({"align": False, "align_every": 5}, "needs align"),
        ({"align": True, "align_every": -1}, "align_every is -1"),
    ],
)
def test_words_that_mean_nothing_are_refused(words, match):
    with pytest.raises(BadInput, match=match):
        plate_fixes(**({"exposure": False} | words))
