"""The nodes for ComfyUI, run by a small executor on their own workflow files; not in ComfyUI."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

import bgm
from bgm.errors import BadInput
from bgm.pictures import read_picture, write_png
from tests.integrations.executor import CORE, LoadImage, execute, inputs_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "integrations" / "comfyui"
WORKFLOWS = sorted((FOLDER / "example_workflows").glob("*.json"))


@pytest.fixture(scope="module")
def package():
    """The folder as ComfyUI imports it: a package whose name is the folder's."""
    spec = importlib.util.spec_from_file_location(
        "comfyui_bgm", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["comfyui_bgm"] = module
    spec.loader.exec_module(module)
    yield module
    for name in [name for name in sys.modules if name.startswith("comfyui_bgm")]:
        del sys.modules[name]


@pytest.fixture
def nodes(package):
    return {name: kind() for name, kind in package.NODE_CLASS_MAPPINGS.items()}


@pytest.fixture(scope="module")
def model():
    return bgm.load("efficientnet_lite0")  # the workflows name it


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """The input folder: examples of the repository, small, and three frames of them."""
    shot = read_picture(ROOT / "examples" / "shot.jpg")[:, ::4, ::4]
    plate = read_picture(ROOT / "examples" / "plate.jpg")[:, ::4, ::4]
    frames = {"frame1": plate, "frame2": shot, "frame3": plate}
    for name, x in ({"shot": shot, "plate": plate} | frames).items():
        write_png(tmp_path / f"{name}.jpg", x)
    monkeypatch.setattr(LoadImage, "folder", tmp_path)
    return shot, plate


def image(x):
    """(3, H, W) uint8 as an IMAGE of one picture."""
    return (x.float() / 255).movedim(0, -1)[None]


def run(workflow, package):
    data = json.loads((FOLDER / "example_workflows" / workflow).read_text())
    shown = execute(data, CORE | package.NODE_CLASS_MAPPINGS)
    return {name: value for ui in shown.values() for name, value in ui.items()}


def test_the_matte_workflow(package, pictures, model):
    """It gives what `bgm.matte` gives, and a cutout whose alpha is right side up."""
    shown = run("matte.json", package)
    shot, plate = (x.float()[None] / 255 for x in pictures)
    truth = bgm.matte(model, shot, plate)
    cutout = shown["bgm_cutout"].movedim(-1, 1)
    torch.testing.assert_close(cutout, torch.cat([truth.fgr, truth.pha], 1), atol=1e-5, rtol=0)
    over_black = shown["bgm_over_black"].movedim(-1, 1)
    torch.testing.assert_close(over_black, truth.fgr * truth.pha, atol=1e-5, rtol=0)
    assert "1 pictures of" in shown["text"][0]
    assert "plate off by 0.0" in shown["text"][0]


def test_the_plate_workflow(package, pictures):
    """Two frames of three are empty: their median is the plate."""
    shown = run("plate_from_batch.json", package)
    torch.testing.assert_close(shown["bgm_plate"], image(pictures[1]))
    assert len(shown["bgm_over_black"]) == 3


def test_every_node_is_declared(package):
    for name, kind in package.NODE_CLASS_MAPPINGS.items():
        assert package.NODE_DISPLAY_NAME_MAPPINGS[name]
        assert kind.CATEGORY == "bgm"
        assert callable(getattr(kind, kind.FUNCTION))
        assert len(kind.RETURN_TYPES) == len(kind.RETURN_NAMES)
        assert inputs_of(kind)
    used = {node["type"] for path in WORKFLOWS for node in json.loads(path.read_text())["nodes"]}
    assert set(package.NODE_CLASS_MAPPINGS) <= used


def test_a_batch_is_streamed_under_the_limit(nodes, model, monkeypatch):
    """As many pictures at a time as fit, and the same mattes as all at once."""
    images, plate = torch.rand(5, 64, 96, 3), torch.rand(1, 64, 96, 3)
    counts, matte = [], bgm.matte

    def counted(net, shots, *args, **options):
        counts.append(len(shots))
        return matte(net, shots, *args, **options)

    monkeypatch.setattr(bgm, "matte", counted)
    small = nodes["BgmMatte"].matte(model, images, plate, False, False, memory_mb=4)
    assert counts == [2, 2, 1]
    large = nodes["BgmMatte"].matte(model, images, plate, False, False, memory_mb=1000)
    assert counts == [2, 2, 1, 5]
    for a, b in zip(small, large, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_a_background_and_a_plate_for_every_shot(nodes, model):
    images, plates, behind = torch.rand(3, 2, 64, 64, 3)
    image, mask, fgr = nodes["BgmMatte"].matte(model, images, plates, False, False, 500, behind)
    pha = mask[..., None]
    torch.testing.assert_close(image, fgr * pha + behind * (1 - pha))
    shots = (x.movedim(-1, 1) for x in (images, plates))
    torch.testing.assert_close(mask, bgm.matte(model, *shots).pha[:, 0], atol=1e-5, rtol=0)


def test_pictures_with_alpha_are_taken(nodes, model):
    images, plate = torch.rand(1, 64, 64, 4), torch.rand(1, 64, 64, 3)
    found = nodes["BgmMatte"].matte(model, images, plate, False, False, 500)
    same = nodes["BgmMatte"].matte(model, images[..., :3], plate, False, False, 500)
    assert torch.equal(found[1], same[1])


def test_a_plate_that_does_not_fit_is_reported(nodes):
    images = torch.zeros(2, 64, 64, 3)
    plate = torch.ones(1, 64, 64, 3)
    (text,) = nodes["BgmReport"].report(images, plate, torch.zeros(2, 64, 64))["result"]
    assert text.count("is it of this scene?") == 2
    assert text.count("subject 0.0%") == 2


def test_a_model_by_its_name(nodes):
    assert len(nodes["BgmLoadModel"].load(" mobilenetv2 ", "cpu", 0.0)) == 1
    with pytest.raises(BadInput, match=r"nothing\.ckpt does not exist"):
        nodes["BgmLoadModel"].load("nothing.ckpt", "cpu", 0.0)


GOOD, PLATE = torch.rand(2, 64, 64, 3), torch.rand(1, 64, 64, 3)
BAD = {
    "0x0": (torch.zeros(1, 0, 0, 3), PLATE, 500, "images has 1 pictures of 0x0"),
    "empty batch": (torch.zeros(0, 64, 64, 3), PLATE, 500, "images has 0 pictures of 64x64"),
    "mask": (torch.rand(1, 64, 64), PLATE, 500, "a MASK .*, expected an IMAGE"),
    "mask as plate": (GOOD, torch.rand(1, 64, 64), 500, "plate is .* a MASK"),
    "0x0 plate": (GOOD, torch.zeros(1, 0, 0, 3), 500, "plate has 1 pictures of 0x0"),
    "channels": (torch.rand(1, 64, 64, 1), PLATE, 500, "images has 1 channels"),
    "size": (GOOD, torch.rand(1, 32, 64, 3), 500, "plate has 1 pictures of 64x32, the images"),
    "count": (torch.rand(3, 64, 64, 3), GOOD, 500, "plate has 2 pictures of 64x64, the images are"),
    "memory": (GOOD, PLATE, 1, "memory_mb is 1, one picture of 64x64 takes 2"),
    "nothing": (None, PLATE, 500, "images is no IMAGE"),
}


@pytest.mark.parametrize(("images", "plate", "memory", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_one_sentence(nodes, model, images, plate, memory, message):
    with pytest.raises(BadInput, match=message) as caught:
        nodes["BgmMatte"].matte(model, images, plate, False, False, memory)
    assert "\n" not in str(caught.value)


def test_light_above_white_is_taken_as_white_with_a_warning(nodes, model):
    shots, plate = torch.rand(2, 64, 64, 3), torch.rand(1, 64, 64, 3)
    bright = shots.clone()
    shots[0, 1, 2], bright[0, 1, 2] = 1.0, 8.0
    with pytest.warns(UserWarning, match="1 pixels of the images are above 1: taken as 1"):
        found = nodes["BgmMatte"].matte(model, bright, plate, False, False, 500)
    for mine, other in zip(
        found, nodes["BgmMatte"].matte(model, shots, plate, False, False, 500), strict=True
    ):
        assert torch.equal(mine, other)


def test_other_nodes_in_one_sentence(nodes):
    with pytest.raises(BadInput, match="the median of 2 pictures is no plate"):
        nodes["BgmPlateFromBatch"].plate(GOOD, 500)
    with pytest.raises(BadInput, match="memory_mb is 0, expected 1 or more"):
        nodes["BgmPlateFromBatch"].plate(torch.rand(3, 8, 8, 3), 0)
    with pytest.raises(BadInput, match="model is a str, expected what BgmLoadModel gives"):
        nodes["BgmMatte"].matte("mobilenetv2", *torch.rand(2, 1, 64, 64, 3), False, False, 100)
    with pytest.raises(BadInput, match=r"images has the type torch\.uint8"):
        nodes["BgmPlateFromBatch"].plate(torch.zeros(3, 8, 8, 3, dtype=torch.uint8), 100)
    with pytest.raises(BadInput, match=r"images has values up to 25\d, most above 1"):
        nodes["BgmPlateFromBatch"].plate(255 * torch.rand(3, 8, 8, 3), 100)
    with pytest.raises(BadInput, match="mask goes from nan to nan, expected 0 to 1"):
        nodes["BgmReport"].report(GOOD, PLATE, torch.full((2, 64, 64), torch.nan))
    spoilt = torch.rand(3, 8, 8, 3)
    spoilt[0, 1, 2, 0], spoilt[1, 3, 4] = torch.nan, torch.inf
    with pytest.warns(UserWarning, match="2 pixels of the images are infinite or no number"):
        (plate,) = nodes["BgmPlateFromBatch"].plate(spoilt, 100)
    assert plate.isfinite().all()
    with pytest.raises(BadInput, match=r"mask is a NoneType, expected a MASK"):
        nodes["BgmReport"].report(*torch.rand(2, 1, 64, 64, 3), None)
    with pytest.raises(BadInput, match="images has 3 pictures of 0x0"):
        nodes["BgmPlateFromBatch"].plate(torch.zeros(3, 0, 0, 3), 500)
    with pytest.raises(BadInput, match=r"mask is \[2, 32, 32\], expected \[2, 64, 64\]"):
        nodes["BgmReport"].report(GOOD, PLATE, torch.rand(2, 32, 32))
    with pytest.raises(BadInput, match=r"mask is .*, an IMAGE: put ImageToMask before it"):
        nodes["BgmReport"].report(GOOD, PLATE, GOOD)
