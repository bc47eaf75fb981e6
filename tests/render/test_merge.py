"""Joining passes: straight colour is true, whatever alpha is."""

import numpy as np
import pytest
import torch

from bgm.colour import srgb_light
from bgm.render import merge

RED, BLUE = np.array([0.7, 0.1, 0.05]), np.array([0.05, 0.2, 0.6])


def disc(size=64, radius=20.0, soft=3.0):
    """alpha (H, W) of a disc with a soft rim."""
    y, x = np.mgrid[:size, :size] - size / 2 + 0.5
    return np.clip((radius - np.hypot(x, y)) / soft + 0.5, 0, 1).astype(np.float32)


def premultiplied(alpha, colour):
    return np.dstack([alpha[..., None] * colour, alpha]).astype(np.float32)


@pytest.mark.parametrize("trust", [0.0, 0.4, 1.0])
def test_colour_at_a_soft_rim_is_that_of_the_subject(trust):
    alpha = disc()
    image = premultiplied(alpha, RED)
    found = merge.straight(image, image, alpha, trust)
    seen = alpha > 0.01
    np.testing.assert_allclose(found[seen], np.broadcast_to(RED, found[seen].shape), atol=1e-4)


def test_the_rim_comes_from_the_true_samples_and_the_inside_from_the_denoised():
    alpha = disc()
    found = merge.straight(premultiplied(alpha, BLUE), premultiplied(alpha, RED), alpha, 1.0)
    np.testing.assert_allclose(found[32, 32], BLUE, atol=1e-5)
    rim = (alpha > 0.2) & (alpha < 0.8)
    np.testing.assert_allclose(found[rim], np.broadcast_to(RED, found[rim].shape), atol=1e-4)


def test_alpha_without_a_sample_takes_the_colour_around_it():
    alpha = disc()
    few = np.where(alpha > 0.4, alpha, 0)
    image = premultiplied(few, RED)
    found = merge.straight(image, image, alpha, 1.0)
    np.testing.assert_allclose(found[alpha > 0], np.tile(RED, ((alpha > 0).sum(), 1)), atol=1e-3)


def test_encoding_is_srgb_and_reverses():
    x = np.linspace(0, 1, 101)
    light = srgb_light(torch.from_numpy(merge.encode(x))).numpy()
    np.testing.assert_allclose(light, x, atol=1e-6)
    assert merge.encode(np.array(0.21404)) == pytest.approx(0.5, abs=1e-4)  # IEC 61966-2-1
    assert (np.diff(merge.shoulder(np.linspace(0, 8, 50))) > 0).all()
    assert merge.shoulder(np.array(4.0), white=4.0) == pytest.approx(1.0)


def test_a_picture_is_straight_and_its_alpha_is_the_pass():
    alpha = disc()
    image = premultiplied(alpha, RED)
    rgba = merge.picture(image, image, alpha, samples=64)
    assert rgba.shape == (64, 64, 4)
    assert rgba.dtype == np.float32
    np.testing.assert_array_equal(rgba[..., 3], alpha)
    inside = rgba[32, 32, :3]
    rim = (alpha > 0.05) & (alpha < 0.95)
    np.testing.assert_allclose(rgba[rim][:, :3], np.tile(inside, (rim.sum(), 1)), atol=1e-3)
    assert not rgba[:4, :4].any()  # nothing is stored far from the subject


def test_a_scene_adds_up_in_linear_light():
    alpha = disc()
    plate = np.broadcast_to(BLUE, (64, 64, 3)).astype(np.float32)
    image = premultiplied(alpha, RED)
    scene = merge.scene(image, image, alpha, plate, plate * 0.9, samples=64)
    assert {k: v.shape for k, v in scene.items()} == {
        "src": (64, 64, 3), "bgr": (64, 64, 3), "fgr": (64, 64, 3), "pha": (64, 64),
    }  # fmt: skip
    assert (scene["src"][0, 0] < scene["bgr"][0, 0]).all()  # the shadow
    np.testing.assert_allclose(scene["src"][32, 32], scene["fgr"][32, 32], atol=1e-6)


def faulty():
    whole = np.ones((64, 64, 4), np.float32) * 0.5
    alpha = disc(64, 28, 1.0)
    good = whole.copy()
    good[..., 3] = alpha
    holes = good.copy()
    rng = np.random.default_rng(0)
    holes[..., 3] = np.where(rng.random((64, 64)) < 0.2, 0.5, alpha)
    dark = good.copy()
    dark[..., :3] = 0.01
    full = whole.copy()
    full[..., 3] = 1
    infinite = good.copy()
    infinite[3, 3, 0] = np.nan
    return {
        "": good, "empty": good * [1, 1, 1, 0], "holes": holes, "dark": dark,
        "no background": full, "not finite": infinite,
    }  # fmt: skip


@pytest.mark.parametrize("fault", list(faulty()))
def test_faults_are_found(fault):
    assert merge.faults(faulty()[fault]) == ([fault] if fault else [])


def test_a_plant_may_be_thin_and_full_of_gaps():
    for fault in ("holes", "empty"):
        assert merge.faults(faulty()[fault], gaps=True) == ([] if fault == "holes" else ["empty"])
    twig = faulty()[""]
    twig[..., 3] = 0
    twig[30:31, 10:50, 3] = 1
    assert merge.faults(twig) == ["empty"]
    assert merge.faults(twig, gaps=True) == []
