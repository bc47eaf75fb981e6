import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bgm.infer.plate.exposure import MISMATCH, match_exposure, mismatch
from tests.infer import scenes

H, W = 120, 160
EMPTY = (scenes.tensor(scenes.scene(H, W)).float() * 0.7 + 30).byte()  # nothing clipped
SHOT = scenes.with_subject(EMPTY)


def exposed_as(gain, bias):
    """The plate that gain and bias turn into the scene behind the subject."""
    g, b = (torch.tensor(v).view(3, 1, 1) for v in (gain, bias))
    return ((EMPTY.float() - b * 255) / g).round().clamp(0, 255).byte()


@given(
    st.tuples(*[st.floats(0.85, 1.3)] * 3),
    st.tuples(*[st.floats(-0.03, 0.03)] * 3),
)
@settings(max_examples=15, deadline=None)
def test_gain_and_bias_are_found_behind_a_subject(gain, bias):
    found = match_exposure(SHOT, exposed_as(gain, bias))
    assert (found.bgr.float() - EMPTY.float()).abs().mean() < 1.6
    if not found.unchanged:
        assert found.gain == pytest.approx(gain, abs=0.04)
        assert found.bias == pytest.approx(bias, abs=0.02)


def test_an_exposure_that_fits_is_not_touched():
    found = match_exposure(SHOT, EMPTY)
    assert found.unchanged
    assert found.bgr is EMPTY
    assert "fits already" in found.reason


def test_another_scene_and_clipped_pictures_are_kept_with_a_reason():
    other = scenes.tensor(scenes.scene(H, W, seed=9))
    assert match_exposure(torch.full_like(other, 200), other).unchanged
    white = torch.full_like(other, 255)
    assert "neither black nor white" in match_exposure(white, other).reason


@pytest.mark.parametrize("size", [(1, 1), (3, 7)])
def test_tiny_pictures(size):
    picture = scenes.tensor(scenes.scene(*size)).clamp(20, 200)
    assert match_exposure(picture, picture).unchanged
    assert mismatch(picture, picture) == 0


def test_mismatch_tells_another_scene_from_a_subject_shift_and_exposure():
    assert mismatch(SHOT, EMPTY) < 0.02
    assert mismatch(SHOT, exposed_as((1.15,) * 3, (0.0,) * 3)) < MISMATCH
    assert mismatch(SHOT, EMPTY.roll(2, dims=-1)) < MISMATCH
    assert mismatch(SHOT, scenes.tensor(scenes.scene(H, W, seed=5))) > MISMATCH
    close = EMPTY.clone()
    close[:, 20:, 30:-30] = 255 - close[:, 20:, 30:-30]  # over half of the picture
    assert mismatch(close, EMPTY) < 0.02
    black, white = torch.zeros_like(EMPTY), torch.full_like(EMPTY, 255)
    assert mismatch(black, white) == 1
