import numpy as np
import pytest
import torch

from bgm.infer.plate.align import _corners, align, move
from tests.infer import scenes

H, W, MARGIN = 300, 400, 60
MOVES = {
    "shift": {"px": (20.0, 10.0)},
    "a fraction of a pixel": {"px": (3.3, -1.6)},
    "turn": {"px": (6.0, 4.0), "degrees": 2.0},
    "zoom": {"scale": 1.05},
    "bend": {"px": (5.0, -5.0), "bend": 4e-5},
}


def views(seed=0, **how):
    return scenes.moved_view(
        scenes.scene(H + 2 * MARGIN, W + 2 * MARGIN, seed), scenes.turn(H, W, **how), MARGIN
    )


def corner_error(found, truth):
    (_, a), (_, b) = _corners(found, (H, W)), _corners(truth, (H, W))
    return np.linalg.norm(a - b, axis=1).max()


@pytest.mark.parametrize("gain", [1.0, 1.25])
@pytest.mark.parametrize("how", MOVES.values(), ids=MOVES)
def test_a_known_movement_is_found_behind_a_subject_to_half_a_pixel(how, gain):
    plate, shot = views(**how)
    shot = (scenes.with_subject(shot).float() * gain).clamp(0, 255).byte()
    found = align(shot, plate)
    truth = scenes.turn(H, W, **how)
    assert not found.kept, found.reason
    assert corner_error(found.homography, truth) < 0.5
    assert found.moved == pytest.approx(
        np.linalg.norm(np.subtract(*_corners(truth, (H, W))), axis=1).mean(), abs=0.5
    )
    assert f"{found.moved:.1f} px" in found.reason


@pytest.mark.parametrize("name", ["zoom", "bend"])
def test_optical_flow_goes_below_what_orb_alone_can(name):
    plate, shot = views(**MOVES[name])
    found = align(scenes.with_subject(shot), plate)
    assert corner_error(found.homography, scenes.turn(H, W, **MOVES[name])) < 0.15  # ORB: 0.25-0.4


def test_the_plate_lies_on_the_shot_and_outside_of_it_is_the_shot():
    plate, shot = views(px=(20.0, 10.0))
    found = align(shot, plate)
    difference = (found.bgr.int() - shot.int()).abs()
    assert difference[:, 12:, 22:].float().mean() < 1.5
    assert difference[:, :9].sum() == difference[:, :, :19].sum() == 0
    assert torch.equal(move(shot, plate, found.homography), found.bgr)


def test_a_plate_that_lies_right_is_not_resampled():
    plate, shot = views()
    found = align(scenes.with_subject(shot), plate)
    assert found.kept
    assert found.bgr is plate
    assert found.moved < 0.5
    assert "already" in found.reason


@pytest.mark.parametrize(
    "shot",
    [
        scenes.tensor(scenes.scene(H, W, seed=7)),
        torch.full((3, H, W), 90, dtype=torch.uint8),
        torch.zeros(3, H, W, dtype=torch.uint8),
    ],
    ids=["another scene", "a gray wall", "black"],
)
def test_a_plate_without_partner_is_kept_and_says_so(shot):
    plate, _ = views()
    found = align(shot, plate)
    assert found.kept
    assert found.bgr is plate
    assert "at least 20 are needed" in found.reason
    assert np.array_equal(found.homography, np.eye(3))


@pytest.mark.parametrize("how", [{"scale": 0.6}, {"degrees": 75.0}])
def test_a_movement_no_standing_camera_makes_is_refused(how):
    plate, shot = views(**how)
    found = align(shot, plate)
    assert found.kept
    assert "implausible" in found.reason


def poster(wall, x):
    """A textured square hung on a wall (H, W, 3), x px from the left."""
    picture = wall.copy()
    picture[80:220, x : x + 140] = scenes.scene(140, 140, seed=3)
    return scenes.tensor(picture)


def test_one_poster_on_a_plain_wall_is_enough():
    wall = np.full((H, W, 3), 120, np.uint8)
    found = align(poster(wall, 150), poster(wall, 130))
    assert not found.kept, found.reason
    assert abs(found.homography @ [200, 150, 1] - [220, 150, 1])[:2].max() < 0.5


def test_a_thing_that_moved_does_not_move_the_plate():
    stripes = np.where(np.arange(W) % 16 < 8, 60, 180).astype(np.uint8)  # no corners in them
    wall = np.repeat(np.tile(stripes, (H, 1))[:, :, None], 3, axis=2)
    found = align(poster(wall, 150), poster(wall, 130))
    assert found.kept
    assert "fits no better" in found.reason


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (17, 5), (40, 33)])
def test_pictures_too_small_for_features(size):
    picture = scenes.tensor(scenes.scene(*size))
    assert align(picture, picture).kept


def test_inputs_are_left_alone():
    plate, shot = views(px=(8.0, 0.0))
    before = plate.clone(), shot.clone()
    align(shot, plate)
    assert torch.equal(plate, before[0])
    assert torch.equal(shot, before[1])
