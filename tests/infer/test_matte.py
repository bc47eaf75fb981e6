"""bgm.matte: pictures of every kind in, the same kind out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

import bgm
from bgm.colour import Encoding
from bgm.errors import BadInput
from bgm.infer.any_size import run_any_size
from bgm.infer.foreground import FOREGROUNDS, auto_foreground
from bgm.infer.frame import Frame, Shot
from bgm.infer.models import Model
from bgm.infer.predict import predict
from bgm.infer.sinks import PictureSink
from bgm.infer.sources import pictures
from bgm.model import MattingRefine
from bgm.paths import conf_dir
from bgm.pictures import read_picture, to_uint8, write_png
from bgm.pictures.profiles import profile_of
from tests.infer import networks
from tests.networks import tiny

H, W = 37, 50
NET = Model(networks.refine, torch.device("cpu"), 1.0)


def pair(dtype=torch.uint8):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (2, 3, H, W), generator=generator, dtype=torch.uint8)
    return x if dtype == torch.uint8 else x.to(dtype) / 255


def test_all_kinds_of_pictures_have_the_same_mattes():
    src, bgr = pair()
    truth = bgm.matte(NET, src, bgr)
    assert [tuple(x.shape) for x in truth] == [(c, H, W) for c in (4, 1, 3, 1, 1)]
    assert all(x.dtype == torch.uint8 for x in truth)
    assert torch.equal(truth.pha[0], (src.int() - bgr.int()).abs().amax(0).byte())
    assert torch.equal(truth.com, torch.cat([truth.fgr * (truth.pha > 0), truth.pha]))
    arrays = [x.movedim(0, -1).numpy() for x in (src, bgr)]
    pictures = [Image.fromarray(x) for x in arrays]
    for array, picture, tensor in zip(
        bgm.matte(NET, *arrays), bgm.matte(NET, *pictures), truth, strict=True
    ):
        expected = tensor.movedim(0, -1).numpy()
        expected = expected[..., 0] if len(tensor) == 1 else expected
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)
        np.testing.assert_array_equal(np.asarray(picture), expected)
    for kind in (np.float32, np.float64):
        found = bgm.matte(NET, *((x / 255).astype(kind) for x in arrays))
        assert found.pha.dtype == kind
        np.testing.assert_allclose(found.pha * 255, truth.pha[0].numpy(), atol=1e-4)
    half = bgm.matte(NET, *pair(torch.float16))
    assert half.fgr.dtype == torch.float16


def test_a_batch_shares_one_plate():
    src, bgr = pair(torch.float32)
    found = bgm.matte(NET, torch.stack([src, bgr]), bgr)
    assert found.pha.shape == (2, 1, H, W)
    assert torch.equal(found.pha[0], bgm.matte(NET, src, bgr).pha)
    assert found.pha[1].max() == 0
    arrays = bgm.matte(
        NET, torch.stack([src, bgr]).movedim(1, -1).numpy(), bgr.movedim(0, -1).numpy()
    )
    assert arrays.pha.shape == (2, H, W)


def test_an_oriented_picture_comes_back_upright(tmp_path):
    src, bgr = (Image.fromarray(x.movedim(0, -1).numpy()) for x in pair())
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    src.rotate(90, expand=True).save(tmp_path / "a.png", exif=exif)
    found = bgm.matte(NET, Image.open(tmp_path / "a.png"), bgr)
    assert found.pha.size == (W, H)
    np.testing.assert_array_equal(np.asarray(found.pha), np.asarray(bgm.matte(NET, src, bgr).pha))


def test_a_network_is_run_as_predict_does(tmp_path):
    """Same defaults: the base network sees 720 px at most, pictures have the bytes of the files."""
    net = tiny(scale=0.5)
    generator = torch.Generator().manual_seed(1)
    src, bgr = torch.randint(0, 256, (2, 3, 8, 2000), generator=generator, dtype=torch.uint8)
    found = bgm.matte(net, src, bgr)
    smaller = MattingRefine(net.base, net.refiner, 720 / 2000).eval()
    frame = Frame("a", Shot(src), Shot(bgr))
    expected = auto_foreground(frame, run_any_size(smaller, src[None] / 255, bgr[None] / 255))
    with PictureSink(tmp_path, ["com", "pha", "fgr", "err", "ref"]) as sink:
        sink.write(frame, expected)
    for name, picture in found._asdict().items():
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[len(picture)]
        assert torch.equal(picture, read_picture(tmp_path / name / "a.png", mode)), name
    own = bgm.matte(net, src, bgr, backbone_scale=None)
    assert torch.equal(
        own.pha, to_uint8(run_any_size(net, src[None] / 255, bgr[None] / 255).pha[0])
    )


def test_the_foreground_is_the_one_that_is_asked_for_and_auto_as_in_predict():
    net = tiny(scale=0.5)
    src, bgr = pair()
    plain = run_any_size(net, src[None] / 255, bgr[None] / 255)
    frame = Frame("a", Shot(src), Shot(bgr))
    options = {"backbone_scale": None, "align": False}
    for name, foreground in FOREGROUNDS.items():
        found = bgm.matte(net, torch.stack([src, src]), bgr, fgr=name, **options)
        assert torch.equal(found.fgr[1], to_uint8(foreground(frame, plain).fgr[0])), name
    with pytest.raises(BadInput, match="fgr best is none of network, unmix, auto"):
        bgm.matte(net, src, bgr, fgr="best")


def test_defaults_are_those_of_predict():
    defaults = predict_defaults()
    assert bgm.matte.__kwdefaults__ == {key: defaults[key] for key in bgm.matte.__kwdefaults__}


def predict_defaults():
    return OmegaConf.to_container(OmegaConf.load(Path(conf_dir()) / "predict.yaml"), resolve=False)


def test_a_plate_is_fitted():
    src, _ = pair()
    src = src // 2 + 40
    dark = (src.float() * 0.8).byte()
    plain, fitted = (bgm.matte(NET, src, dark, exposure=on).pha for on in (False, True))
    assert fitted.float().mean() < 3 < plain.float().mean()


@pytest.mark.parametrize(
    ("src", "bgr", "words"),
    [
        (torch.zeros(3, 4, 4), torch.zeros(3, 4, 5), r"src is \[1, 3, 4, 4\] but bgr is"),
        (torch.zeros(2, 3, 4, 4), torch.zeros(3, 3, 4, 4), "as many plates as shots"),
        (torch.zeros(4, 4, 3), torch.zeros(4, 4, 3), r"expected \(3, H, W\)"),
        (np.zeros((3, 4, 4)), np.zeros((3, 4, 4)), r"expected \(H, W, 3\)"),
        (torch.zeros(3, 4, 4).int(), torch.zeros(3, 4, 4), "type torch.int32, expected uint8"),
        (
            np.full((4, 4, 3), 255.0),
            np.zeros((4, 4, 3)),
            r"src has values from 255 to 255, expected",
        ),
        (torch.zeros(3, 4, 4), torch.full((3, 4, 4), 200.0), "bgr has values from 200 to 200"),
        (torch.full((3, 4, 4), -1.0), torch.zeros(3, 4, 4), "src has values from -1 to -1"),
        (np.array([["a"]]), np.zeros((4, 4, 3)), "src has the type <U1, expected uint8"),
        ("shot.png", "plate.png", r"src is a str, expected a PIL picture \(Image.open"),
        (Image.new("I;16", (4, 4)), Image.new("L", (4, 4)), "src has the mode I;16, expected 8"),
        (Image.new("I", (4, 4)), Image.new("L", (4, 4)), "src has the mode I, expected 8 bits"),
        (Image.new("L", (4, 4)), Image.new("F", (4, 4)), "bgr has the mode F, expected 8 bits"),
    ],
)
def test_pictures_that_do_not_fit_are_named(src, bgr, words):
    with pytest.raises(BadInput, match=words):
        bgm.matte(NET, src, bgr)


def test_what_resampling_adds_is_no_other_range():
    x = torch.rand(3, H, W) * 1.3 - 0.15
    assert bgm.matte(NET, x, x).pha.shape == (1, H, W)


def test_arrays_of_another_order_of_bytes():
    src, bgr = (x.movedim(0, -1).numpy() for x in pair(torch.float32))
    expected = bgm.matte(NET, src, bgr)
    found = bgm.matte(NET, src.astype(">f4"), bgr.astype(">f4"))
    np.testing.assert_array_equal(found.pha, expected.pha)


def test_the_name_of_a_network_is_none():
    with pytest.raises(BadInput, match=r"net is a str, expected a network as bgm\.load"):
        bgm.matte("efficientnet_lite0", *pair())


@pytest.mark.parametrize("encoding", [Encoding("adobergb", "gamma2.2"), Encoding("p3", "linear")])
def test_pil_pictures_hold_the_colours_of_their_profile_as_files_do(tmp_path, encoding):
    """The same bytes as the pictures that are written, and the same profile; the plate's own."""
    src, bgr = pair()
    write_png(tmp_path / "a.png", src, encoding)
    write_png(tmp_path / "plate.png", bgr)
    given = [Image.open(tmp_path / f"{name}.png") for name in ("a", "plate")]
    found = bgm.matte(NET, *given, align=False)
    sink = PictureSink(tmp_path / "out", ["com", "pha", "fgr"])
    frames = pictures(tmp_path / "a.png", tmp_path / "plate.png")
    predict(NET.net, frames, sink, foreground=auto_foreground, say=lambda _: None)
    for kind in ("com", "pha", "fgr"):
        picture, file = getattr(found, kind), Image.open(tmp_path / f"out/{kind}/a.png")
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(file), kind)
        assert picture.info.get("icc_profile") == file.info.get("icc_profile")
    if encoding.bounded:
        assert found.com.info["icc_profile"] == profile_of(encoding)


def test_the_selection_is_words_and_the_network_keeps_its_own():
    net, (src, bgr) = tiny().eval(), pair()
    own = bgm.matte(net, src, bgr)
    assert (bgm.matte(net, src, bgr, select="full").ref == 255).all()
    assert (bgm.matte(net, src, bgr, threshold=1.0).ref == 0).all()
    few = bgm.matte(net, src, bgr, sample_pixels=160).ref
    assert 0 < int((few > 0).sum()) <= 160 < int((own.ref > 0).sum())
    assert torch.equal(bgm.matte(net, src, bgr).pha, own.pha)
    with pytest.raises(BadInput, match="give one of them"):
        bgm.matte(net, src, bgr, sample_pixels=160, threshold=0.1)


def test_a_network_in_training_is_refused():
    with pytest.raises(BadInput, match="training mode"):
        bgm.matte(tiny().train(), *pair())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"align": "sometimes"}, "align is sometimes, expected true, false or auto"),
        ({"align": "false"}, "align is false, expected"),
        ({"exposure": "no"}, "exposure is no, expected true or false"),
        ({"backbone_scale": 0.9}, "backbone_scale is 0.9, expected a number from 1/64"),
        ({"backbone_scale": "large"}, "backbone_scale is large"),
        ({"base_scale": 0.5}, "has a refiner: base_scale is for base networks"),
    ],
)
def test_words_that_are_none_are_refused(options, sentence):
    src, bgr = pair()
    with pytest.raises(BadInput, match=sentence):
        bgm.matte(tiny().eval(), src, bgr, **options)


def test_a_base_network_sees_no_more_than_the_picture():
    src, bgr = pair()
    with pytest.raises(BadInput, match="base_scale is 3, expected a number from 1/64 to 1"):
        bgm.matte(tiny().base.eval(), src, bgr, base_scale=3)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 2), (2, 50)])
def test_pictures_of_a_line_or_a_pixel_are_matted_as_they_are(size):
    x = torch.rand(1, 3, *size)
    assert bgm.matte(tiny(), x, x, align=True).pha.shape == (1, 1, *size)


@pytest.mark.parametrize("name", ["src", "bgr"])
def test_numbers_that_are_none_are_said_and_spoil_no_other_pixel(name):
    """The network takes a mean over the picture: one would make the whole matte none."""
    given = dict(zip(("src", "bgr"), torch.rand(2, 1, 3, H, W), strict=True))
    black = {key: x.clone() for key, x in given.items()}
    given[name][0, 1, 5, 6], black[name][0, 1, 5, 6] = torch.nan, 0.0
    with pytest.warns(UserWarning, match=f"1 pixels of the {name} are infinite or no number"):
        found = bgm.matte(tiny(), **given, align=False)
    for mine, other in zip(found, bgm.matte(tiny(), **black, align=False), strict=True):
        torch.testing.assert_close(mine, other, atol=0, rtol=0)
