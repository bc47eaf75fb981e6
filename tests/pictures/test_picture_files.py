"""Picture files as people have them: what systems leave in folders, links, accents, odd PNGs."""

import unicodedata

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from bgm.data import Backgrounds, Scenes, Subjects
from bgm.data.doctor.diagnosis import diagnose
from bgm.data.doctor.item_report import ItemReports, take_inventory
from bgm.errors import BadInput
from bgm.pictures import find_pictures, pair_by_stem, read_picture
from bgm.video import find_videos
from tests.data.folders import disc, make, save
from tests.pictures import files


def picture(path, value=100, size=(24, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path)
    return path


def test_what_systems_leave_in_folders_is_passed_over(tmp_path):
    picture(tmp_path / "a.jpg")
    for name in (
        "._a.jpg",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "__MACOSX/a.jpg",
        ".git/a.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\26\7")
    assert list(find_pictures(tmp_path)) == ["a"]
    assert len(Backgrounds(tmp_path)) == 1
    (tmp_path / "._b.mp4").write_bytes(b"\0\5\26\7")
    assert find_videos(tmp_path, needed=False) == {}
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(BadInput, match="holds 0 pictures and 0 other files"):
        find_pictures(tmp_path)


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    picture(tmp_path / "elsewhere" / "deep" / "a.png")
    folder = tmp_path / "data"
    picture(folder / "b.png")
    (folder / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "also").symlink_to(tmp_path / "elsewhere" / "deep", target_is_directory=True)
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    (tmp_path / "elsewhere" / "back").symlink_to(folder, target_is_directory=True)
    assert list(find_pictures(folder)) == ["also/a", "b", "linked/deep/a"]


def test_accents_pair_whether_composed_or_not(tmp_path):
    for kind, form in (("fgr", "NFC"), ("pha", "NFD")):
        white = Image.new("L", (24, 16), 255)
        (tmp_path / kind).mkdir()
        white.save(tmp_path / kind / f"{unicodedata.normalize(form, 'Zoë')}.png")
    folders = {kind: find_pictures(tmp_path / kind) for kind in ("fgr", "pha")}
    assert pair_by_stem(**folders) == ["Zo\u00eb"]
    assert len(Subjects(tmp_path)) == 1


def test_a_png_with_its_editors_history_is_read(tmp_path):
    history = PngImagePlugin.PngInfo()
    history.add_text("XML:com.adobe.xmp", "x" * 5_000_000, zip=True)
    history.add_itxt("history", "y" * 5_000_000, zip=True)
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "a.png", pnginfo=history)
    assert read_picture(tmp_path / "a.png")[:, 0, 0].tolist() == [1, 2, 3]


def test_a_picture_above_the_limit_names_both_sizes_and_the_key(tmp_path, monkeypatch):
    picture(tmp_path / "a.png", size=(40, 50))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    with pytest.raises(BadInput, match=r"a\.png has 0\.002 .*0\.0018 .*max_megapixels=1"):
        read_picture(tmp_path / "a.png")


def reports(root):
    part, findings = take_inventory("train", "subjects", {"root": root})
    assert not findings
    items = ItemReports([part])
    return {
        finding.code: finding
        for finding in diagnose([part], [*map(items.__getitem__, range(len(items)))])
    }


@pytest.fixture
def root(tmp_path):
    return make(tmp_path, subjects=4, backgrounds=2) / "train"


def change_alpha(root, function):
    for path in (root / "pha").iterdir():
        save(path, function(np.asarray(Image.open(path))))


def test_masks_of_0_and_1_are_refused(root, tmp_path):
    change_alpha(root, lambda alpha: np.uint8(alpha > 128))
    assert reports(root)["0 and 1"].level == "error"
    with pytest.raises(BadInput, match=r"pha/0\.png is stored as 0 and 1, expected 0 to 255"):
        Subjects(root)
    for kind in ("src", "bgr"):
        (tmp_path / "scenes" / kind).parent.mkdir(exist_ok=True)
        (tmp_path / "scenes" / kind).symlink_to(root / "fgr")
    (tmp_path / "scenes" / "pha").symlink_to(root / "pha")
    with pytest.raises(BadInput, match="is stored as 0 and 1"):
        Scenes(tmp_path / "scenes")
    for path in (root / "fgr").iterdir():
        cut = Image.open(path).convert("RGB")
        cut.putalpha(Image.open(root / "pha" / f"{path.stem}.png"))
        (tmp_path / "cut").mkdir(exist_ok=True)
        cut.save(tmp_path / "cut" / f"{path.stem}.png")
    with pytest.raises(BadInput, match=r"cut/0\.png is stored as 0 and 1"):
        Subjects(tmp_path / "cut")


@pytest.mark.parametrize(
    ("store", "code", "sentence"),
    [
        (lambda a: np.uint8(a > 128) * 7, "classes", "goes up to 7 only, as classes do"),
        (lambda a: np.uint8(a / 2.55), "per cents", "goes up to 100, as per cents do"),
    ],
)
def test_mattes_of_other_scales_are_refused(root, store, code, sentence):
    change_alpha(root, store)
    assert code in reports(root)
    with pytest.raises(BadInput, match=rf"pha/0\.png {sentence}, expected 0 to 255"):
        Subjects(root)


def test_thin_mattes_beside_whole_ones_are_mattes(root):
    first = min((root / "pha").iterdir())
    save(first, np.asarray(Image.open(first)) // 64)
    Subjects(root)
    for path in (root / "pha").iterdir():  # all of glass, and none of exactly 100
        save(path, np.asarray(Image.open(path)) // 5)
    Subjects(root)


def test_classes_in_palette_colours_are_no_matte(tmp_path):
    classes = Image.fromarray(np.uint8([[0, 1], [2, 1]]), mode="P")
    classes.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    classes.save(tmp_path / "voc.png")
    with pytest.raises(BadInput, match="stored in palette colours, as classes: save it as gray"):
        read_picture(tmp_path / "voc.png", "L")
    classes.putpalette([0, 0, 0, 128, 128, 128, 255, 255, 255])
    classes.save(tmp_path / "gray.png")
    assert read_picture(tmp_path / "gray.png", "L").tolist() == [[[0, 128], [255, 128]]]


def test_a_matte_of_float_is_numbers_and_no_light(tmp_path):
    oiio = pytest.importorskip("OpenEXR", reason="writes the EXR")
    assert oiio
    half = np.full((8, 12), 0.5, np.float32)
    path = files.exr(tmp_path / "a.exr", {"Y": half})
    assert read_picture(path, "L").unique().tolist() == [128]
    path = files.exr(tmp_path / "b.exr", dict.fromkeys("RGBA", half))
    with pytest.raises(BadInput, match=r"alpha channel of .*b\.exr is not read"):
        read_picture(path, "RGBA")


def test_masks_of_one_bit_and_empty_mattes_are_none_of_these(root):
    change_alpha(root, lambda alpha: alpha > 128)
    assert Subjects(root)[0][0].max() == 255
    save(root / "pha" / "0.png", np.zeros((64, 80), np.uint8))
    assert torch.equal(Subjects(root)[0][0].unique(), torch.tensor([0], dtype=torch.uint8))


def test_inverted_mattes_are_found(root):
    assert "inverted" not in reports(root)
    change_alpha(root, lambda alpha: 255 - alpha)
    assert reports(root)["inverted"].count == 4
    whole = np.full((64, 80), 255, np.uint8)  # a subject that fills the picture
    change_alpha(root, lambda alpha: whole)
    assert "inverted" not in reports(root)
    corner = np.roll(disc(np.random.default_rng(0), 64, 80), 40, axis=1)
    change_alpha(root, lambda alpha: corner)
    assert "inverted" not in reports(root)
