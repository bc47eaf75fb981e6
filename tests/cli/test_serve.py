"""The functions behind the page of `bgm serve`, without gradio."""

import numpy as np
import pytest
import torch

from bgm.cli.serve.live_model import Knobs, LiveModel
from bgm.cli.serve.results import VIEWS, matte_pictures
from bgm.errors import BadInput
from bgm.infer.models import choose_device, open_model
from bgm.pictures import read_picture, to_uint8, write_png
from tests.examples.chromium import person_in_a_place

SIZE = (120, 160)


@pytest.fixture(scope="module")
def model():
    return LiveModel("mobilenetv2", "cpu")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The files of a shot and its plate, and the true alpha (H, W)."""
    folder = tmp_path_factory.mktemp("pair")
    src, bgr, pha = person_in_a_place(SIZE, 3)
    write_png(folder / "shot.png", src)
    write_png(folder / "plate.png", bgr)
    return folder / "shot.png", folder / "plate.png", pha[0]


def test_what_the_page_shows_is_what_predict_writes(model, pair, tmp_path):
    oiio = pytest.importorskip("OpenImageIO", reason="the extra `exr` is not installed")
    src, bgr, true = pair
    result = matte_pictures(model, src, bgr, Knobs(background="#ff0000"), tmp_path)
    assert tuple(result.views) == VIEWS
    shown = {name: read_picture(path) for name, path in result.views.items()}
    assert {x.shape for x in shown.values()} == {(3, *SIZE)}
    assert torch.equal(shown["shot"], read_picture(src))
    rgba = read_picture(result.rgba, "RGBA")
    assert torch.equal(rgba[3], shown["alpha"][0])
    assert float((rgba[3] / 255 - true).abs().mean()) < float(true.mean()) / 3
    empty = rgba[3] == 0
    assert empty.any()
    red = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None]
    assert torch.equal(shown["composite"][:, empty], red.expand(-1, int(empty.sum())))
    exr = oiio.ImageBuf(str(result.exr))
    assert set(exr.spec().channelnames) == {"R", "G", "B", "A", "err.Y", "ref.Y"}
    alpha = exr.get_pixels(oiio.FLOAT)[..., exr.spec().channelindex("A")]
    np.testing.assert_allclose(alpha, rgba[3] / 255, atol=0.5 / 255 + 1e-3)


def test_every_knob_of_the_selection_turns_and_turns_back(model, pair, tmp_path):
    src, bgr, _ = pair

    def refined(**knobs):
        result = matte_pictures(model, src, bgr, Knobs(**knobs), tmp_path)
        return int((read_picture(result.views["refined patches"], "L") > 0).sum())

    own = refined()
    assert 0 < refined(select="sampling", sample_pixels=320) <= 320 < own
    assert refined(select="thresholding", threshold=1.0) == 0
    assert refined(select="full") == SIZE[0] * SIZE[1]
    assert refined() == own
    alphas = []
    for scale in ("auto", 0.25, "auto"):
        result = matte_pictures(model, src, bgr, Knobs(scale=scale), tmp_path)
        alphas.append(read_picture(result.views["alpha"]))
    assert not torch.equal(alphas[0], alphas[1])
    assert torch.equal(alphas[0], alphas[2])


def test_a_larger_picture_is_shown_smaller_and_downloaded_whole(model, tmp_path, monkeypatch):
    monkeypatch.setattr("bgm.cli.serve.results.LONGEST", 64)
    for name in ("a", "b"):
        write_png(tmp_path / f"{name}.png", torch.rand(3, 96, 128))
    result = matte_pictures(model, tmp_path / "a.png", tmp_path / "b.png", Knobs(), tmp_path)
    assert read_picture(result.views["alpha"]).shape == (3, 48, 64)
    assert read_picture(result.rgba).shape == (3, 96, 128)
    assert any("does not match" in note for note in result.notes)


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"select": "best"}, "best is none of sampling, thresholding, full"),
        ({"select": "sampling", "sample_pixels": 3}, "sample_pixels is 3"),
        ({"scale": 2.0}, "backbone_scale"),
        ({"background": "#12"}, "background #12"),
        ({"fgr": "best"}, "fgr best"),
    ],
)
def test_a_wrong_knob_is_one_sentence_and_leaves_nothing(model, pair, tmp_path, knobs, sentence):
    src, bgr, _ = pair
    with pytest.raises(BadInput, match=sentence):
        matte_pictures(model, src, bgr, Knobs(**knobs), tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_no_picture_is_one_sentence(model, pair, tmp_path):
    (tmp_path / "words.png").write_text("no picture")
    (tmp_path / "words.txt").write_text("no picture")
    for name in ("words.png", "words.txt"):
        with pytest.raises(BadInput, match=f"{name} is not a picture"):
            matte_pictures(model, tmp_path / name, pair[1], Knobs(), tmp_path)


def test_select_full_is_refused_for_a_large_picture(model, pair, tmp_path, monkeypatch):
    monkeypatch.setattr("bgm.cli.serve.results.MOST_FULL", SIZE[0] * SIZE[1] - 1)
    with pytest.raises(BadInput, match="160x120"):
        matte_pictures(model, *pair[:2], Knobs(select="full"), tmp_path)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_device_auto_finds_cuda_then_mps(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto").type == expected


def test_the_views_are_those_of_the_network(model, pair, tmp_path):
    """Without alignment and a clean foreground alpha is the network's own, to the code."""
    src, bgr, _ = pair
    result = matte_pictures(model, src, bgr, Knobs(align=False), tmp_path)
    opened = open_model("mobilenetv2", device="cpu", optimize=True)
    with torch.no_grad():
        pictures = (read_picture(x)[None].float() / 255 for x in (src, bgr))
        pha = opened.net(*pictures).pha[0]
    assert torch.equal(read_picture(result.views["alpha"], "L"), to_uint8(pha))
