"""Every golden value: 22 pairs, two folders, a sequence and a 16-bit picture, both protocols."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bgm.metrics import score

FOLDER = Path(__file__).parents[1] / "golden" / "metrics"
GOLDEN = json.loads((FOLDER / "golden.json").read_text())
BOTH = pytest.mark.parametrize("protocol", ["bgmv2", "rvm"])
PAIRS = pytest.mark.parametrize("name", GOLDEN["pairs"])


def read(path: str) -> np.ndarray:
    return np.asarray(Image.open(FOLDER / path))


def pair(name: str) -> list[np.ndarray]:
    return [read(f"pairs/{name}_{kind}.png") for kind in ("pred", "true", "trimap")]


def check(found: dict[str, float], expected: dict[str, float | str]) -> None:
    assert set(found) == set(expected)
    for metric, value in expected.items():
        assert found[metric] == pytest.approx(float(value), rel=5e-6, abs=1e-7, nan_ok=True), metric


def test_all_pairs_are_here() -> None:
    assert len(GOLDEN["pairs"]) == 22


@PAIRS
@BOTH
def test_pair(name: str, protocol: str) -> None:
    pred, true, trimap = pair(name)
    expected = GOLDEN["pairs"][name]["expected"][protocol]
    check(score(pred, true, trimap, protocol=protocol), expected)


@PAIRS
@BOTH
def test_pair_as_float(name: str, protocol: str) -> None:
    pred, true, trimap = pair(name)
    expected = GOLDEN["pairs"][name]["expected"][protocol]
    exact = (pred / np.float32(255)).astype(np.float32)
    check(score(exact, true / 255.0, trimap, protocol=protocol), expected)
    beside = pred / 255.0 + 1e-12 * ((pred > 0) & (pred < 255))  # not n/255: the float route
    check(score(beside, true, trimap, protocol=protocol), expected)


@PAIRS
def test_habits_of_others(name: str) -> None:
    pred, true, trimap = pair(name)
    values = GOLDEN["pairs"][name]
    plain = score(pred, true, protocol="rvm", grad_normalise=False)["grad"]
    assert plain == pytest.approx(values["no_minmax_grad"], rel=5e-6, abs=1e-7)
    masked = score(pred, true, trimap, protocol="bgmv2", mask_known=True)["grad"] / 1000
    assert masked == pytest.approx(float(values["masked_grad"]), rel=5e-6, abs=1e-7)


@pytest.mark.parametrize("name", GOLDEN["bench"])
@BOTH
def test_folder_with_foregrounds(name: str, protocol: str) -> None:
    kinds = ["pred/pha", "true/pha", "true/trimap", "pred/fgr", "true/fgr"]
    pictures = [read(f"bench/{kind}/{name}") for kind in kinds]
    if protocol == "bgmv2":  # its folder script crops; score does not
        H, W = GOLDEN["bench"][name]["crop"]
        pictures = [x[:H, :W] for x in pictures]
    pred, true, trimap, fgr_pred, fgr_true = pictures
    found = score(pred, true, trimap, protocol=protocol, fgr_pred=fgr_pred, fgr_true=fgr_true)
    check(found, GOLDEN["bench"][name]["expected"][protocol])


def test_sequence() -> None:
    pred, true = ([read(f"seq/{i:04d}_{kind}.png") for i in range(5)] for kind in ("pred", "true"))
    expected = GOLDEN["seq"]["expected"]
    per_frame = [0.0, *over_time(pred, true)]
    assert per_frame == pytest.approx(expected["dtssd_per_frame"], rel=5e-6)
    assert np.mean(per_frame) == pytest.approx(expected["dtssd_mean_rvm"], rel=5e-6)
    without_first = expected["dtssd_mean_without_first"]
    assert np.mean(per_frame[1:]) == pytest.approx(without_first, rel=5e-6)
    floats = over_time([x * 0.999 / 255 + 1e-4 for x in pred], [x * 0.999 / 255 for x in true])
    assert floats == pytest.approx([x * 0.999 for x in per_frame[1:]], rel=1e-9)
    for p, t, values in zip(pred, true, expected["rvm_per_frame"], strict=True):
        check(score(p, t, protocol="rvm"), values)


def over_time(pred: list[np.ndarray], true: list[np.ndarray]) -> list[float]:
    """dtSSD of every frame but the first."""
    frames = list(zip(pred, true, strict=True))
    scores = [score(*now, protocol="rvm", before=before) for before, now in pairwise(frames)]
    assert all(row["dtssd"] == row["dtssd_pairs"] for row in scores)
    return [row["dtssd"] for row in scores]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_sixteen_bits(kind: type) -> None:
    pred = (read("float16bit/pred16.png") / 65535).astype(kind)
    found = score(pred, read("float16bit/true.png"), protocol="rvm")
    check(found, GOLDEN["float16bit"]["expected_rvm_float_input"])
