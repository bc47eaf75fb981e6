"""Protocols, options and refusals of `score`; the nested route against the plain definition."""

import math
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from bgm.errors import BadInput
from bgm.metrics import metrics_of, score
from bgm.metrics.arrays import matte_pair
from bgm.metrics.gradient_connectivity import derivative_kernels, gradient_error

bgmv2 = partial(score, protocol="bgmv2")
LEVELS = st.sampled_from([0, 25, 26, 51, 76, 77, 102, 128, 152, 153, 154, 204, 229, 230, 254, 255])
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    size = draw(SIZES)
    return draw(hnp.arrays(np.uint8, size, elements=LEVELS)), draw(
        hnp.arrays(np.uint8, size, elements=LEVELS)
    )


def plain_connectivity(pred: np.ndarray, true: np.ndarray, columns: bool) -> float:
    """The definition in numpy and ten labellings in pure Python; float32 comparisons."""
    p, t = (x.astype(np.float32) / np.float32(255) for x in (pred, true))
    left = np.full(p.shape, 1.0)
    done = np.zeros(p.shape, bool)
    for k in range(1, 11):
        threshold = np.float32(k * 0.1)
        miss = ~largest((p >= threshold) & (t >= threshold), columns) & ~done
        left[miss], done = (k - 1) / 10, done | miss
    d = [x / 255 - left for x in (pred, true)]
    phi = [1 - x * (x >= 0.15) for x in d]
    return float(np.abs(phi[0] - phi[1]).sum())


def largest(mask: np.ndarray, columns: bool) -> np.ndarray:
    best: list[tuple[int, int]] = []
    todo = {tuple(map(int, at)) for at in np.argwhere(mask)}
    for seed in sorted(todo, key=(lambda at: at[::-1]) if columns else None):
        component, stack = [], [seed]
        while stack:
            y, x = stack.pop()
            if (y, x) in todo:
                todo.remove((y, x))
                component.append((y, x))
                stack += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        best = component if len(component) > len(best) else best
    omega = np.zeros(mask.shape, bool)
    for at in best:
        omega[at] = True
    return omega


@given(pairs())
@settings(max_examples=150, deadline=None)
def test_connectivity_is_the_definition(pair: tuple[np.ndarray, np.ndarray]) -> None:
    pred, true = pair
    everywhere = np.full(true.shape, 128, np.uint8)
    columns, rows = bgmv2(pred, true, everywhere), score(pred, true, protocol="rvm")
    assert columns["conn"] == pytest.approx(plain_connectivity(pred, true, True), abs=1e-9)
    assert rows["conn"] * 1000 == pytest.approx(plain_connectivity(pred, true, False), abs=1e-9)


@pytest.mark.parametrize("protocol", ["bgmv2", "rvm"])
def test_connectivity_of_many_components(protocol: str) -> None:
    rng = np.random.default_rng(4)  # more components than floods are tried
    true = rng.choice([0, 153, 255], (33, 41), p=[0.5, 0.2, 0.3]).astype(np.uint8)
    pred = np.where(rng.random(true.shape) < 0.9, true, 200).astype(np.uint8)
    found = score(pred, true, np.full(true.shape, 128, np.uint8), protocol=protocol)["conn"]
    factor = metrics_of(protocol)["conn"].scale
    expected = plain_connectivity(pred, true, protocol == "bgmv2") * factor
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("protocol", ["bgmv2", "rvm"])
def test_connectivity_of_large_bodies(protocol: str, seed: int) -> None:
    rng = np.random.default_rng(seed)  # solid bodies, holes, and winners that change with the level
    true = cv2.GaussianBlur(rng.integers(0, 256, (50, 200)).astype(np.float32), (0, 0), 6)
    true = cv2.normalize(true, None, -100, 520, cv2.NORM_MINMAX).clip(0, 255).astype(np.uint8)
    true[10:40, 5:80], true[4:46, 90:195] = 255, np.maximum(true[4:46, 90:195], 130)
    true[rng.random(true.shape) < 0.001] = 0
    if seed % 2:
        true[:, 85] = 0
    pred = np.where(rng.random(true.shape) < 0.7, true, true // 2 + 120).astype(np.uint8)
    found = score(pred, true, np.full(true.shape, 128, np.uint8), protocol=protocol)["conn"]
    factor = metrics_of(protocol)["conn"].scale
    expected = plain_connectivity(pred, true, protocol == "bgmv2") * factor
    assert found == pytest.approx(expected, rel=1e-9)


def test_tie_is_broken_by_column_or_row() -> None:
    true = np.zeros((3, 4), np.uint8)
    true[2, 0] = 255  # first by columns
    true[0, 3] = 200  # first by rows; as large up to 0.7
    pred = true.copy()
    pred[2, 0] = 204
    unknown = np.full(true.shape, 128, np.uint8)
    by_columns, by_rows = bgmv2(pred, true, unknown), score(pred, true, protocol="rvm")
    assert by_columns["conn"] == pytest.approx(0.2)  # held to 0.8: only the truth is 0.2 above
    assert by_rows["conn"] * 1000 == pytest.approx(51 / 255)
    true[2, 0], pred[2, 0] = 230, 0  # no component there: the other one wins both times
    assert bgmv2(pred, true, unknown)["conn"] == pytest.approx(230 / 255)


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_pixel_sums_are_the_definition(pair: tuple[np.ndarray, np.ndarray]) -> None:
    pred, true = pair
    trimap = np.where(true % 2 == 0, 128, 255).astype(np.uint8)
    d = (pred.astype(int) - true)[trimap == 128]
    found = bgmv2(pred, true, trimap)
    assert found["sad"] == pytest.approx(np.abs(d).sum() / 255 / 1000, rel=1e-12)
    mse = (d**2).mean() / 255**2 if d.size else math.nan
    assert found["mse"] == pytest.approx(mse, rel=1e-12, nan_ok=True)


def exact_gradient(pred: np.ndarray, true: np.ndarray) -> float:
    gauss, derivative = derivative_kernels()

    def amplitude(x: np.ndarray) -> np.ndarray:
        x = (x - float(x.min())) / max(float(x.max()) - float(x.min()), 1e-9)
        kernels = np.outer(gauss, derivative), np.outer(derivative, gauss)
        border = cv2.BORDER_REPLICATE
        return np.hypot(*(cv2.filter2D(x, cv2.CV_64F, k, borderType=border) for k in kernels))

    return float(((amplitude(pred) - amplitude(true)) ** 2).sum())


@pytest.mark.parametrize("size", [(9, 7), (150, 1030), (701, 1203)])
@pytest.mark.parametrize("top", [255, 254])
def test_gradient_over_tiles_and_in_float32(size: tuple[int, int], top: int) -> None:
    rng = np.random.default_rng(1)
    true = cv2.GaussianBlur(rng.integers(0, 256, size, np.uint8), (0, 0), 2)
    true = cv2.normalize(true, None, 0, 255, cv2.NORM_MINMAX)
    pred = np.minimum(true, top)
    pred[size[0] // 2, size[1] // 2] ^= 1
    expected = pytest.approx(exact_gradient(pred, true), rel=5e-6, abs=1e-7)
    assert gradient_error(matte_pair(pred, true)) == expected
    floats = matte_pair(pred / 255.0 + 1e-10 * (pred < top) * (pred > 0), true)
    assert gradient_error(floats) == expected


def test_frame_is_rvm_with_sad_and_foregrounds() -> None:
    rng = np.random.default_rng(0)
    pred, true = rng.integers(0, 256, (2, 13, 11), np.uint8)
    fgr = rng.integers(0, 256, (2, 13, 11, 3), np.uint8)
    frame = score(pred, true, protocol="frame", fgr_pred=fgr[0], fgr_true=fgr[1])
    rvm = score(pred, true, protocol="rvm", fgr_pred=fgr[0], fgr_true=fgr[1])
    assert {m: frame[m] for m in rvm} == rvm
    assert "sad" in set(frame) - set(rvm)
    assert frame["sad"] == pytest.approx(frame["mad"] / 1000 * true.size / 1000)
    tensors = [torch.from_numpy(x).permute(2, 0, 1) for x in fgr]
    again = score(*map(torch.from_numpy, (pred, true)), protocol="rvm", fgr_pred=tensors[0].float()
                  / 255, fgr_true=tensors[1])  # fmt: skip
    assert again == rvm
    nobody = score(pred, true * 0, protocol="rvm", fgr_pred=fgr[0], fgr_true=fgr[1])
    assert math.isnan(nobody["fgr_mse"])


def test_table_scale() -> None:
    rng = np.random.default_rng(0)
    pred, true = rng.integers(0, 256, (2, 8, 8), np.uint8)
    trimap = np.full((8, 8), 128, np.uint8)
    native, table = bgmv2(pred, true, trimap), bgmv2(pred, true, trimap, scale="table")
    assert table == native | {"mse": native["mse"] * 1e3}
    assert [row.scale_label for row in metrics_of("bgmv2", "table").values()] == [
        *("x1e3", "/1000 px", "px", "px", "x1e3")
    ]


def test_inputs_stay_as_they_are() -> None:
    pred = np.arange(48, dtype=np.uint8).reshape(6, 8)[:, ::2]  # not contiguous
    true, trimap = pred[::-1].copy(), np.full(pred.shape, 128, np.int64)
    before = pred.copy()
    for x in (true, trimap):
        x.setflags(write=False)
    bgmv2(pred, true, trimap, mask_known=True)
    assert np.array_equal(pred, before)


ONE = np.ones((4, 6), np.float32)
EIGHT = np.zeros((4, 6), np.uint8)
REFUSED = {
    "needs a trimap": ((EIGHT, EIGHT), {"protocol": "bgmv2"}),
    "mask_known needs a trimap": ((EIGHT, EIGHT), {"protocol": "rvm", "mask_known": True}),
    "3 values that are NaN": ((np.where(np.arange(6) > 2, ONE[0], np.nan)[None],) * 2, {}),
    "1 values that are NaN or inf": ((np.array([[1, np.inf]]), EIGHT), {}),
    r"\[0, 200\]": ((np.array([[0.0, 200.0]]), EIGHT), {}),
    r"pred \(4, 6\) and true \(4, 5\)": ((EIGHT, EIGHT[:, :5], EIGHT), {}),
    r"trimap \(4, 5\)": ((EIGHT, EIGHT, EIGHT[:, :5]), {}),
    "trimap is float": ((EIGHT, EIGHT, ONE), {}),
    "pred is uint16": ((EIGHT.astype(np.uint16), EIGHT, EIGHT), {}),
    r"expected \(H, W\)": ((EIGHT[..., None], EIGHT, EIGHT), {}),
    "no pixel": ((EIGHT[:0], EIGHT[:0], EIGHT[:0]), {}),
    "protocol 'x'": ((EIGHT, EIGHT), {"protocol": "x"}),
    "scale 'x'": ((EIGHT, EIGHT), {"protocol": "rvm", "scale": "x"}),
    "fgr_true is missing": ((EIGHT, EIGHT), {"protocol": "rvm", "fgr_pred": EIGHT}),
    r"fgr_pred has shape \(4, 6\), expected \(4, 6, 3\)": (
        (EIGHT, EIGHT),
        {"protocol": "rvm", "fgr_pred": EIGHT, "fgr_true": EIGHT},
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_bad_input_is_named(message: str) -> None:
    args, options = REFUSED[message]
    with pytest.raises(BadInput, match=message):
        score(*args, **options)


def test_frames_of_two_sizes_are_named() -> None:
    with pytest.raises(BadInput, match="in one sequence"):
        score(EIGHT, EIGHT, protocol="rvm", before=(EIGHT[:2], EIGHT[:2]))


def test_only_the_metrics_asked_for() -> None:
    rng = np.random.default_rng(0)
    pred, true = rng.integers(0, 256, (2, 8, 8), np.uint8)
    assert list(score(pred, true, protocol="rvm", only=["grad", "mad"])) == ["mad", "grad"]


def test_arrays_tensors_and_pictures_score_alike() -> None:
    rng = np.random.default_rng(0)
    pred, true = rng.integers(0, 256, (2, 13, 11), np.uint8)
    fgr = rng.integers(0, 256, (2, 13, 11, 3), np.uint8)
    expected = score(pred, true, fgr_pred=fgr[0], fgr_true=fgr[1])
    cut_out = Image.fromarray(np.dstack([fgr[0], pred]))  # RGBA: its alpha is the matte
    tensor = (torch.from_numpy(true) / 255)[None, None].requires_grad_()
    assert score(cut_out, tensor, fgr_pred=cut_out, fgr_true=Image.fromarray(fgr[1])) == expected
    assert score(Image.fromarray(pred), Image.fromarray(true)).items() <= expected.items()
    deep = Image.fromarray(true.astype(np.uint16) * 257)
    assert score(deep, Image.fromarray(true > 127))["mad"] == score(true, (true > 127) / 1.0)["mad"]
    half = score(torch.from_numpy(true).to(torch.bfloat16) / 255, true)
    assert 0 < half["mad"] < 2
    with pytest.raises(BadInput, match=r"pred has shape \(13, 11, 3\), expected \(H, W\)"):
        score(Image.fromarray(fgr[0]), true)
