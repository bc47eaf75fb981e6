"""The search over keys finds what trying them one by one finds."""

import numpy as np
import pytest

from bgm.errors import BadInput
from bgm.metrics import DifferenceKey, all_zero, score, tune_keys


def shots(n: int = 3, size: int = 40) -> tuple[list, list, list]:
    rng = np.random.default_rng(5)
    srcs, bgrs, phas = [], [], []
    for i in range(n):
        y, x = np.mgrid[0:size, 0 : size + i]
        pha = np.clip((size / 3 - np.hypot(y - size / 2, x - size / 2)) * 0.3, 0, 1)[..., None]
        bgr = rng.integers(60, 120, (*pha.shape[:2], 3)).astype(float)
        src = (
            pha * rng.integers(100, 160, bgr.shape) + (1 - pha) * bgr + rng.normal(0, 4, bgr.shape)
        )
        srcs.append(src.clip(0, 255).astype(np.uint8))
        bgrs.append(bgr.astype(np.uint8))
        phas.append(np.rint(pha[..., 0] * 255).astype(np.uint8))
    return srcs, bgrs, phas


def mad(key: DifferenceKey, srcs: list, bgrs: list, phas: list) -> float:
    rows = [score(key(*x[:2]), x[2], protocol="frame") for x in zip(srcs, bgrs, phas, strict=True)]
    return float(np.mean([row["mad"] for row in rows])) / 1e3


def test_reported_error_is_the_key_s_error() -> None:
    found = tune_keys(zip(*shots(), strict=True))
    assert set(found) == {"hard", "soft", "hard_closing", "soft_closing", "best"}
    for name, (value, key) in found.items():
        assert value == pytest.approx(mad(key, *shots()), rel=1e-9), name
        assert (key.closing > 0) == name.endswith("_closing") or name == "best"
    assert found["best"].mad == min(f.mad for f in found.values())
    assert found["soft"].mad <= found["hard"].mad
    assert found["hard_closing"].mad < found["hard"].mad < mad(DifferenceKey(255, 256), *shots())


def test_no_key_beats_the_best() -> None:
    data = shots()
    found = tune_keys(zip(*data, strict=True), distances=("mean",), closings=(0, 2))
    tried = [
        (mad(DifferenceKey(low, low + width, "mean", closing), *data), width, closing)
        for low in range(0, 60, 2)
        for width in (1, 2, 9, 30)
        for closing in (0, 2)
    ]
    for name, kept in {
        "hard": lambda width, closing: width == 1 and not closing,
        "soft": lambda width, closing: not closing,
        "hard_closing": lambda width, closing: width == 1 and closing,
        "best": lambda width, closing: True,
    }.items():
        assert found[name].mad <= min(m for m, w, c in tried if kept(w, c)) + 1e-12, name


def test_key_by_hand() -> None:
    bgr = np.full((1, 4, 3), 100, np.uint8)
    src = bgr.copy()
    src[0, :, 1] = [100, 105, 110, 130]
    assert DifferenceKey(5, 6)(src, bgr).tolist() == [[0, 0, 255, 255]]
    assert DifferenceKey(5, 15)(src, bgr).tolist() == [[0, 0, 128, 255]]
    assert DifferenceKey(5, 6, "mean")(src, bgr).tolist() == [[0, 0, 0, 255]]
    floats = [np.moveaxis(x / 255.0, 2, 0) for x in (src, bgr)]
    assert DifferenceKey(5, 6)(*floats).tolist() == [[0, 0, 255, 255]]
    assert not all_zero(src, bgr).any()
    assert all_zero(src, bgr).shape == (1, 4)


def test_bad_input_is_named() -> None:
    srcs, bgrs, phas = shots()
    for args, message in (
        (([], [], []), "0 pictures"),
        ((srcs[:1], bgrs[:1], phas[1:2]), "pha .* and src .* differ in size"),
        ((srcs[:1], bgrs[1:2], phas[:1]), "bgr has shape"),
    ):
        with pytest.raises(BadInput, match=message):
            tune_keys(zip(*args, strict=True))
    with pytest.raises(BadInput, match="distance 'x'"):
        DifferenceKey(3, 4, distance="x")(srcs[0], bgrs[0])
