"""Perturbations: the truth stays, neutral levels change nothing, formulas hold."""

import pytest
import torch

from bgm.eval.robustness import DIRECTIONS, PERTURBATIONS
from bgm.ops import composite
from bgm.types import Batch


def scene(size=(40, 56), has_fgr=True):
    generator = torch.Generator().manual_seed(3)
    fgr, bgr = torch.rand(2, 3, *size, generator=generator)
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in size), indexing="ij")
    pha = ((0.5 - torch.hypot(y, x)) * 8 + 0.5).clamp(0, 1)[None]
    src = composite(fgr, pha, bgr)
    return Batch(src, bgr, pha, fgr if has_fgr else src, torch.tensor(has_fgr))


LEVELS = [(name, level) for name, curve in PERTURBATIONS.items() for level in curve.levels]


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_the_truth_stays_and_seeds_repeat(name, level):
    one = scene()
    before = [x.clone() for x in one]
    found = PERTURBATIONS[name].apply(one, level, 7)
    assert all(torch.equal(x, y) for x, y in zip(one, before, strict=True))
    for field in ("pha", "fgr", "has_fgr"):
        assert torch.equal(getattr(found, field), getattr(one, field))
    again = PERTURBATIONS[name].apply(one, level, 7)
    for field in ("src", "bgr"):
        x = getattr(found, field)
        assert x.shape == (3, 40, 56)
        assert 0 <= x.min() <= x.max() <= 1
        assert torch.equal(x, getattr(again, field))
    same = torch.equal(found.src, one.src) and torch.equal(found.bgr, one.bgr)
    assert same == (level == PERTURBATIONS[name].neutral)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_neutral_level_is_on_its_curve_and_more_hurts_more(name):
    curve = PERTURBATIONS[name]
    assert curve.neutral is None or curve.neutral in curve.levels
    one = scene()
    hurt = []
    for level in curve.levels:
        found = curve.apply(one, level, 1)
        hurt.append(float((found.src - one.src).abs().mean() + (found.bgr - one.bgr).abs().mean()))
    at = curve.levels.index(curve.neutral) if curve.neutral is not None else 0
    if name != "misalignment":  # of random pictures, one pixel is as far off as eight
        assert hurt[at:] == sorted(hurt[at:])
        assert hurt[: at + 1] == sorted(hurt[: at + 1], reverse=True)


@pytest.mark.parametrize("seed", range(8))
def test_whole_misalignment_is_a_roll(seed):
    one = scene()
    found = PERTURBATIONS["misalignment"].apply(one, 3, seed).bgr
    rolled = [torch.roll(one.bgr, (3 * y, 3 * x), (1, 2)) for y, x in DIRECTIONS]
    inside = (slice(None), slice(3, -3), slice(3, -3))
    assert sum(torch.equal(found[inside], r[inside]) for r in rolled) == 1
    half = PERTURBATIONS["misalignment"].apply(one, 0.5, seed).bgr
    whole = PERTURBATIONS["misalignment"].apply(one, 1, seed).bgr
    assert torch.allclose(half, (whole + one.bgr) / 2, atol=1e-6)


def test_all_directions_occur():
    one = scene()
    found = [PERTURBATIONS["misalignment"].apply(one, 2, seed).bgr for seed in range(24)]
    assert len({x.sum().item() for x in found}) == 4


def test_exposure_is_a_power_of_the_plate_alone():
    one = scene()
    found = PERTURBATIONS["exposure"].apply(one, 1.3, 0)
    assert torch.allclose(found.bgr, one.bgr**1.3)
    assert torch.equal(found.src, one.src)


def test_noise_has_its_deviation_and_differs_between_shot_and_plate():
    gray = scene((200, 200))._replace(
        src=torch.full((3, 200, 200), 0.5), bgr=torch.full((3, 200, 200), 0.5)
    )
    found = PERTURBATIONS["noise"].apply(gray, 0.04, 0)
    noise = torch.stack([found.src - 0.5, found.bgr - 0.5]).flatten(1)
    assert noise.std(1).tolist() == pytest.approx([0.04, 0.04], rel=0.02)
    assert abs(torch.corrcoef(noise)[0, 1]) < 0.02


@pytest.mark.parametrize("has_fgr", [True, False])
def test_a_shadow_darkens_the_background_of_the_shot_alone(has_fgr):
    one = scene(has_fgr=has_fgr)
    found = PERTURBATIONS["shadow"].apply(one, 0.5, 0)
    assert torch.equal(found.bgr, one.bgr)
    solid = (one.pha == 1).expand(3, -1, -1)
    assert torch.allclose(found.src[solid], one.src[solid], atol=1e-6)
    taken = one.src - found.src
    assert taken.min() >= -1e-6
    empty = (one.pha == 0).expand(3, -1, -1)
    share = (taken / one.src.clamp_min(1e-3))[empty]
    assert 0.2 < share.max() <= 0.5 + 1e-5
    if has_fgr:  # behind soft alpha the background alone is dimmed: fgr * pha stays
        behind = one.src - one.fgr * one.pha
        assert (taken <= 0.5 * behind + 1e-5).all()


def test_blur_keeps_the_mean_of_flat_and_the_edges():
    flat = scene()._replace(bgr=torch.full((3, 40, 56), 0.25))
    assert torch.allclose(PERTURBATIONS["blur"].apply(flat, 8, 0).bgr, flat.bgr, atol=1e-6)
    dot = torch.zeros(3, 41, 41)
    dot[:, 20, 20] = 1
    found = PERTURBATIONS["blur"].apply(scene((41, 41))._replace(bgr=dot), 2, 0).bgr[0]
    across = torch.arange(41) - 20.0
    assert float((found.sum(0) * across**2).sum()) == pytest.approx(4, rel=0.05)  # variance


def test_jpeg_quality_counts():
    one = scene()
    off = [
        (PERTURBATIONS["jpeg"].apply(one, q, 0).src - one.src).abs().mean() for q in (100, 50, 10)
    ]
    assert off[0] < off[1] < off[2]


def test_tiny_pictures_survive():
    for name, curve in PERTURBATIONS.items():
        tiny = scene((2, 3))
        found = curve.apply(tiny, max(curve.levels), 0)
        assert found.src.shape == (3, 2, 3), name
