"""Scoring a folder of predictions: protocols' folder rules, formats, refusals."""

import json
import shutil

import numpy as np
import pytest
import torch

from bgm.colour import LINEAR, SRGB
from bgm.errors import BadInput
from bgm.eval.cases import quantise
from bgm.eval.stored_pictures import Predictions, read_matte
from bgm.infer.stills import write_still
from bgm.metrics import score, trimap_of
from bgm.pictures import read_picture, write_png
from tests.eval.scenes import NAMES, SIZE, evaluate, gray, pred_of, refused, row, truth
from tests.test_line import script


def test_a_folder_is_scored_like_its_arrays(place):
    code, found = evaluate(place, f"pred={place / 'pred'}", "quantise=floor")
    assert code == 0
    for seed, (name, shown) in enumerate(zip(NAMES, found["pictures"], strict=True)):
        expected = score(pred_of(place, name), truth(seed), protocol="frame")
        assert shown == row(name, expected)
    assert (found["quantise"], found["data"], found["scenes"]) == ("floor", "scenes", 8)
    assert found["interval"]["mad"] == {"low": None, "high": None}  # all frames of one clip
    assert not list(place.glob(".scores*"))


def test_an_optimized_network_has_the_scores_of_its_checkpoint(place):
    found = []
    for optimize in ("true", "false"):
        out = f"out={place / optimize}"
        words = ["ckpt=mobilenetv2", "quantise=none", "examples=0", f"optimize={optimize}"]
        assert evaluate(place, *words, out)[0] == 0
        found.append(json.loads((place / f"{optimize}.json").read_text()))
    assert [x["optimize"] for x in found] == [True, False]
    assert found[0]["mean"] == pytest.approx(found[1]["mean"], abs=1e-5, rel=1e-5)
    assert found[0]["mean"]["mad"] != found[1]["mean"]["mad"]  # another order of additions


def test_bgmv2_crops_makes_trimaps_and_skips(place):
    write_png(place / "scenes" / "pha" / "clip" / "03.png", torch.zeros(1, *SIZE))  # nobody there
    code, found = evaluate(place, f"pred={place / 'pred'}", "protocol=bgmv2", "scale=table")
    assert code == 0
    assert [s["name"] for s in found["skipped"]] == ["clip/03"]
    assert "it holds 0" in found["skipped"][0]["why"]
    assert len(found["pictures"]) == 7
    assert found["trimaps"].startswith("made of the truth (0.06")
    trimap = trimap_of(truth(1))[:20, :28]
    pair = pred_of(place, NAMES[1])[:20, :28], truth(1)[:20, :28]
    expected = score(*pair, trimap, protocol="bgmv2", scale="table")
    assert found["pictures"][1] == row(NAMES[1], expected)
    half = np.full(SIZE, 255, np.uint8)
    half[:, :16] = 128
    for name in NAMES:
        gray(place / "scenes" / "trimap" / f"{name}.png", half)
    code, found = evaluate(place, f"pred={place / 'pred'}", "protocol=bgmv2", "scale=table")
    expected = score(*pair, half[:20, :28], protocol="bgmv2", scale="table")
    assert found["pictures"][1] == row(NAMES[1], expected)
    assert found["trimaps"] == "files"
    assert len(found["pictures"]) == 8


def test_pha_and_fgr_folders(place):
    for name in NAMES:
        (place / "tool" / "pha" / "clip").mkdir(parents=True, exist_ok=True)
        shutil.copy(place / "pred" / f"{name}.png", place / "tool" / "pha" / f"{name}.png")
        shutil.copytree(place / "scenes" / "src", place / "tool" / "fgr", dirs_exist_ok=True)
    code, found = evaluate(place, f"pred={place / 'tool'}")
    assert code == 0
    src, fgr = (read_picture(place / "scenes" / k / "clip" / "02.png") for k in ("src", "fgr"))
    expected = score(
        pred_of(place, NAMES[2]), truth(2), protocol="frame", fgr_pred=src, fgr_true=fgr
    )
    assert found["pictures"][2] == row(NAMES[2], expected)


def test_formats_of_mattes(tmp_path):
    a, file = truth(5), tmp_path / "a.png"
    colours = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    for array in (a, np.dstack([a] * 3), np.dstack([colours, a])):
        gray(file, array)
        assert np.array_equal(read_matte(file), a)
    gray(file, a.astype(np.uint16) * 200)
    assert np.array_equal(read_matte(file), a * 200.0 / 65535)
    gray(file, np.dstack([colours, a]).astype(np.uint16) * 257)
    assert np.array_equal(read_matte(file), a / 255.0)
    for array, why in (
        (colours, "is a colour picture"),
        (np.dstack([colours, a * 0 + 255]), "opaque everywhere"),
    ):
        gray(file, array)
        with pytest.raises(BadInput, match=rf"a\.png .*{why}"):
            read_matte(file)


def test_sixteen_bits_are_quantised_as_asked(place):
    for seed, name in enumerate(NAMES):
        gray(place / "pred" / f"{name}.png", truth(seed).astype(np.uint16) * 255 + 128)
    exact = (truth(0).astype(np.uint16) * 255 + 128) / 65535.0
    means = {}
    for how in ("round", "floor", "none"):
        code, found = evaluate(place, f"pred={place / 'pred'}", f"quantise={how}")
        assert (code, found["quantise"]) == (0, how)
        expected = score(quantise(exact, how, "pha"), truth(0), protocol="frame")
        assert found["pictures"][0] == row(NAMES[0], expected)
        means[how] = found["mean"]["mad"]
    assert len(set(means.values())) == 3


@pytest.mark.parametrize(
    ("depth", "most"), [(np.uint8, 1), (np.uint8, 100), (np.uint16, 1), (np.uint16, 255)]
)
def test_mattes_stored_on_other_scales_are_named(place, capsys, depth, most):
    for seed, name in enumerate(NAMES):
        gray(place / "pred" / f"{name}.png", (truth(seed) > 127).astype(depth) * most)
    said = refused(capsys, place, f"pred={place / 'pred'}")
    assert f"holds mattes of values up to {most}, " in said
    gray(place / "pred" / f"{NAMES[0]}.png", truth(0))  # one that is right, beside frames of nobody
    assert evaluate(place, f"pred={place / 'pred'}")[0] == 0


def test_quantising_does_not_hide_what_is_not_finite():
    x = np.array([[0.0, np.nan], [np.inf, 1.0]], np.float32)
    for how in ("round", "floor", "none"):
        with pytest.raises(BadInput, match="pha holds 2 values that are NaN or infinite"):
            quantise(x, how, "pha")
    with pytest.raises(BadInput, match="quantise=x"):
        quantise(x, "x", "pha")
    levels = quantise(torch.tensor([0.0, 0.999, 1.0]), "floor", "pha")
    assert levels.tolist() == [0, 254, 255]


def test_bad_input_is_one_sentence_and_exit_code_1(place, capsys):
    pred = f"pred={place / 'pred'}"
    for name in NAMES[2:5]:
        (place / "pred" / f"{name}.png").rename(place / f"{name[-2:]}.kept")
    said = refused(capsys, place, pred)
    assert "3 of 8 scenes have no prediction" in said
    assert "clip/02, clip/03, clip/04" in said
    for name in NAMES[2:5]:
        (place / f"{name[-2:]}.kept").rename(place / "pred" / f"{name}.png")
    good = (place / "pred" / "clip" / "05.png").read_bytes()
    gray(place / "pred" / "clip" / "05.png", np.zeros((9, 31), np.uint8))
    said = refused(capsys, place, pred)
    assert "clip/05: pred (9, 31) and true (22, 31) differ" in said
    (place / "pred" / "clip" / "05.png").write_bytes(good[:50])
    assert "05.png is broken" in refused(capsys, place, pred)
    (place / "pred" / "clip" / "05.png").write_bytes(good)
    gray(place / "scenes" / "trimap" / "clip" / "00.png", np.zeros(SIZE, np.uint8))
    assert "7 of 8 scenes have no trimap" in refused(capsys, place, pred, "protocol=bgmv2")
    for name in NAMES:
        gray(place / "scenes" / "trimap" / f"{name}.png", np.zeros(SIZE, np.uint8))
    assert "all 8 pictures are skipped" in refused(capsys, place, pred, "protocol=bgmv2")
    assert "one of them, found none" in refused(capsys, place)
    assert "one of them, found both" in refused(capsys, place, pred, "ckpt=x")
    assert "absent does not exist" in refused(capsys, place, f"pred={place / 'absent'}")
    assert "protocol 'x'" in refused(capsys, place, pred, "protocol=x")
    assert "quantise=x" in refused(capsys, place, pred, "quantise=x")


def test_outputs_are_tried_before_anything_is_scored(place, capsys):
    (place / "file").write_text("")
    args = ["data=scenes", "data_root=absent", f"pred={place / 'pred'}"]
    for wrong in (f"out={place / 'file' / 'x'}", f"report={place / 'file' / 'x.html'}"):
        assert script("eval", *args, wrong) == 1
        assert "cannot write" in capsys.readouterr().err  # and not that absent is absent
    assert sorted(p.name for p in place.iterdir()) == ["file", "pred", "scenes"]


def test_files_of_the_user_beside_the_scores_stay(place, capsys):
    pictures, pred = place / "scores-pictures", f"pred={place / 'pred'}"
    pictures.mkdir()
    for name in ("negative.txt", "best-day.png", "worst-9-src.png"):
        (pictures / name).write_text("precious")
    curves = [place / f"scores-robustness.{kind}" for kind in ("csv", "json")]
    for path in curves:
        path.write_text('{"mine": 1}')
    assert evaluate(place, pred, "examples=1")[0] == 0
    written = [f"{rank}-1-src.png" for rank in ("best", "worst")]
    left = {path.name for path in pictures.iterdir()}
    assert left >= {"negative.txt", "best-day.png", *written}
    assert "worst-9-src.png" not in left  # that is how an earlier run names its own
    assert [path.read_text() for path in curves] == ['{"mine": 1}'] * 2
    for kind in ("csv", "json"):
        said = evaluate(place, pred, f"report={place / 'scores'}.{kind}")[0]
        assert said == 1
        assert "would take the place of" in capsys.readouterr().err
    words = ["ckpt=efficientnet_lite0", "robustness=[blur]"]
    assert evaluate(place, *words)[0] == 1
    assert "is there already and holds no curves" in capsys.readouterr().err
    assert curves[1].read_text() == '{"mine": 1}'


def stored_deep(place, output):
    """What predict.py would write of the true mattes and colours, in more than 8 bits."""
    suffix = {"exr": "exr", "tiff": "tif", "png16": "png"}[output]
    for seed, name in enumerate(NAMES):
        pha = (torch.from_numpy(truth(seed).astype(np.float32))[None] + 0.25) / 255.25
        fgr = read_picture(place / "scenes/fgr" / f"{name}.png").float() / 255
        write_still(place / "deep/pha" / f"{name}.{suffix}", output, pha, SRGB)
        write_still(place / "deep/fgr" / f"{name}.{suffix}", output, fgr, SRGB)
    return place / "deep"


@pytest.mark.parametrize(("output", "most"), [("exr", 0.0003), ("tiff", 1e-5), ("png16", 1e-5)])
def test_what_predict_writes_in_more_than_8_bits_is_scored_as_it_is(place, output, most):
    deep = stored_deep(place, output)
    found = Predictions(deep, NAMES)
    for seed, name in enumerate(NAMES[:2]):
        pha, fgr = found(name)
        assert np.abs(pha - (truth(seed) + 0.25) / 255.25).max() < most
        true = found.true_fgr(name, place / "scenes/fgr" / f"{name}.png")
        assert np.abs(np.rint(fgr * 255) - true).max() == 0
    code, scores = evaluate(place, f"pred={deep}", "quantise=none")
    assert code == 0
    assert 0 < scores["mean"]["mad"] < 1.1  # x1e3: what was added, which 8 bits would lose
    assert scores["mean"]["fgr_mad"] < 0.3


def test_floats_that_are_no_matte_are_named(tmp_path):
    a = torch.from_numpy(truth(5).astype(np.float32))[None] / 255
    for x, why in (
        (a * 255, "values up to 255, which are floats: expected 0 to 1"),
        (torch.cat([a, a, a, a]), "an alpha channel, which is read of 8 bits and 16-bit PNG"),
        (torch.cat([a, a / 2, a]), "is a colour picture, expected a matte"),
    ):
        write_still(tmp_path / "a.exr", "exr", x, LINEAR)
        with pytest.raises(BadInput, match=why):
            Predictions(tmp_path, ["a"])("a")
