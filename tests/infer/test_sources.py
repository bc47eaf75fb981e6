import pytest
import torch

from bgm.colour import SRGB
from bgm.errors import BadInput
from bgm.infer import sources
from bgm.infer.sources import pictures
from bgm.pictures import write_png


def picture(path, H=6, W=8, value=0):
    write_png(path, torch.full((3, H, W), value, dtype=torch.uint8))
    return path


def test_a_picture_with_a_plate(tmp_path):
    src, bgr = picture(tmp_path / "a (1),=.png", value=9), picture(tmp_path / "b.png", value=3)
    frames = pictures(src, bgr)
    (frame,) = frames
    assert len(frames) == 1
    assert frame.name == "a (1),="
    assert (frame.src.stored.unique().tolist(), frame.bgr.stored.unique().tolist()) == ([9], [3])
    assert frame.time is None


def test_folders_pair_by_relative_stem_at_any_depth(tmp_path):
    for i, name in enumerate(["x/1", "x/2", "1"]):
        picture(tmp_path / f"src/{name}.png", value=i)
        picture(tmp_path / f"bgr/{name}.PNG", value=10 + i)
    frames = {f.name: f for f in pictures(tmp_path / "src", tmp_path / "bgr")}
    assert list(frames) == ["1", "x/1", "x/2"]
    assert frames["x/2"].src.stored[0, 0, 0] == 1
    assert frames["x/2"].bgr.stored[0, 0, 0] == 11


def test_one_plate_for_all_is_read_once(tmp_path, monkeypatch):
    for i in range(3):
        picture(tmp_path / f"src/{i}.png")
    plate = picture(tmp_path / "plate.png")
    read = []
    monkeypatch.setattr(
        sources,
        "read_encoded",
        lambda p, _: read.append(p) or (torch.zeros(3, 6, 8, dtype=torch.uint8), SRGB),
    )
    frames = pictures(tmp_path / "src", plate)
    assert len(frames) == len(list(frames)) == 3
    assert read.count(plate) == 1


def test_a_picture_takes_its_namesake_from_a_folder_of_plates(tmp_path):
    src = picture(tmp_path / "b.png")
    picture(tmp_path / "bgr/a.png", value=1)
    picture(tmp_path / "bgr/b.png", value=2)
    (frame,) = pictures(src, tmp_path / "bgr")
    assert frame.bgr.stored[0, 0, 0] == 2
    with pytest.raises(BadInput, match="none named c"):
        pictures(picture(tmp_path / "c.png"), tmp_path / "bgr")


def test_sizes_that_differ_name_both_files_and_sizes_before_the_first_frame(tmp_path):
    picture(tmp_path / "src/1.png")
    picture(tmp_path / "src/2.png", H=4, W=5)
    plate = picture(tmp_path / "plate.png")
    with pytest.raises(BadInput, match=r"2\.png is 5x4 but bgr .*plate\.png is 8x6"):
        pictures(tmp_path / "src", plate)


def test_lonely_stems_are_named_ten_at_most(tmp_path):
    picture(tmp_path / "bgr/0.png")
    for i in range(13):
        picture(tmp_path / f"src/{i:02}.png")
    with pytest.raises(BadInput, match=r"14 stems .* 00 \(only in src\).* and 4 more"):
        pictures(tmp_path / "src", tmp_path / "bgr")


@pytest.mark.parametrize("side", ["src", "bgr"])
def test_missing_files_and_folders_without_pictures(tmp_path, side):
    paths = {"src": picture(tmp_path / "a.png"), "bgr": picture(tmp_path / "b.png")}
    with pytest.raises(BadInput, match=r"nowhere.* does not exist"):
        pictures(**{**paths, side: tmp_path / "nowhere"})
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds 0 pictures"):
        pictures(**{**paths, side: tmp_path / "empty"})


def test_a_truncated_picture_is_named(tmp_path):
    src, bgr = picture(tmp_path / "a.png", 64, 64), picture(tmp_path / "b.png", 64, 64)
    src.write_bytes(src.read_bytes()[:70])
    with pytest.raises(BadInput, match=r"a\.png"):
        list(pictures(src, bgr))
