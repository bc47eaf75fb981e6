from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.frame import Frame, Shot
from bgm.infer.options import matte_steps
from bgm.infer.steps import Calm, Despeckle, Garbage, Holdout
from bgm.infer.steps.despeckle import SEEN, despeckle
from bgm.pictures import write_png
from tests.infer import scenes

H, W = 48, 64
PLATE = scenes.tensor(scenes.scene(H, W))


def frame(src: Tensor, number: int = 0, bgr: Tensor = PLATE, name: str = "clip") -> Frame:
    return Frame(name, Shot(src), Shot(bgr), Fraction(number, 25))


def matte(pha: Tensor, err: float = 0.0) -> Matte:
    size = (pha.shape[-2], pha.shape[-1])
    x = pha.reshape(1, 1, *size).float()
    return Matte(x, x.expand(1, 3, *size) * 0.5, torch.full_like(x, err), None, size)


blobs = st.lists(
    st.tuples(*[st.integers(0, 40), st.integers(0, 56), st.integers(1, 12), st.floats(0.01, 1)]),
    max_size=6,
)


@given(blobs, st.integers(2, 60))
@settings(max_examples=40, deadline=None)
def test_despeckle_drops_whole_islands_and_nothing_else(rectangles, pixels):
    pha = torch.zeros(1, 1, H, W)
    for y, x, side, alpha in rectangles:
        pha[..., y : y + side, x : x + side] = alpha
    out = despeckle(pha, pixels)
    changed = out != pha
    assert (out[changed] == 0).all()
    assert torch.equal(despeckle(out, pixels), out)
    seen = pha > SEEN
    assert changed.sum() < pixels * len(rectangles) or not changed.any()
    assert seen[~changed].sum() == (out > SEEN).sum()
    large = [r for r in rectangles if r[2] ** 2 >= pixels and r[3] > 0.1]
    for y, x, side, _ in large:  # what it hangs together with is at least as large
        kept = out[..., y : y + side, x : x + side]
        where = seen[..., y : y + side, x : x + side]
        if where.sum() >= pixels:
            assert (kept[where] > 0).all()


def test_despeckle_leaves_holes_and_strands_of_hair():
    pha = torch.zeros(1, 1, H, W)
    pha[..., 20:, 10:50] = 1
    pha[..., 30:33, 20:23] = 0  # a hole
    for i in range(12):
        pha[..., 20 - i, 30 + i // 2] = 0.3  # a strand, over corners
    pha[..., 5:8, 5:8] = 0.8  # an island of 9 px
    pha[..., 4, 5:8] = 0.01  # its skirt
    out = despeckle(pha, 10)
    assert out[..., :10, :10].sum() == 0
    assert torch.equal(out[..., 9:, :], pha[..., 9:, :])
    assert torch.equal(despeckle(pha, 9)[..., 5:8, 5:8], pha[..., 5:8, 5:8])


def test_garbage_is_thrown_away_holdout_is_kept_and_the_last_word_is_garbages(tmp_path):
    left, top = torch.zeros(1, H, W), torch.zeros(1, H, W)
    left[..., : W // 2], top[:, : H // 2] = 1, 1
    write_png(tmp_path / "garbage.png", left)
    write_png(tmp_path / "holdout.png", top)
    src = scenes.tensor(scenes.scene(H, W, seed=2))
    found = matte(torch.full((H, W), 0.4))
    for step in matte_steps(
        holdout=str(tmp_path / "holdout.png"), garbage=str(tmp_path / "garbage.png")
    ):
        found = step(frame(src), found)
    pha = found.pha[0, 0]
    assert (pha[:, : W // 2] == 0).all()
    assert (pha[: H // 2, W // 2 :] == 1).all()
    assert torch.allclose(pha[H // 2 :, W // 2 :], torch.tensor(0.4))
    held = found.fgr[0, :, : H // 2, W // 2 :]
    assert torch.equal(held, Shot(src).values[:, : H // 2, W // 2 :])


@pytest.mark.parametrize("make", [Garbage, Holdout])
def test_a_drawn_matte_of_0_and_1_is_refused(tmp_path, make):
    write_png(tmp_path / "mask.png", torch.ones(1, 8, 12, dtype=torch.uint8))
    with pytest.raises(BadInput, match=r"mask\.png is stored as 0 and 1"):
        make(tmp_path / "mask.png")


def test_drawn_mattes_come_from_folders_by_name_and_name_what_is_wrong(tmp_path):
    write_png(tmp_path / "g/a.png", torch.ones(1, H, W))
    write_png(tmp_path / "g/b.png", torch.zeros(1, H, W))
    step = Garbage(tmp_path / "g")
    found = matte(torch.ones(H, W))
    assert step(frame(PLATE, name="a"), found).pha.sum() == 0
    assert step(frame(PLATE, name="b"), found).pha.min() == 1
    with pytest.raises(BadInput, match="holds no picture named c"):
        step(frame(PLATE, name="c"), found)
    write_png(tmp_path / "small.png", torch.ones(1, 4, 4))
    with pytest.raises(BadInput, match="4x4 but clip is 64x48"):
        Holdout(tmp_path / "small.png")(frame(PLATE), found)
    with pytest.raises(BadInput, match=r"garbage .* does not exist"):
        Garbage(tmp_path / "none.png")


@pytest.mark.parametrize(("make", "value"), [(Calm, 1.5), (Calm, -1), (Despeckle, 0)])
def test_numbers_that_mean_nothing_are_refused(make, value):
    with pytest.raises(BadInput, match=str(value)):
        make(value)


def noisy(x: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (
        (x.float() + 1.5 * torch.randn(x.shape, generator=generator)).round().clamp(0, 255).byte()
    )


def hand(x: int) -> Tensor:
    """Where (H, W) a hand is, x px from the left."""
    where = torch.zeros(H, W, dtype=torch.bool)
    where[10:40, x : x + 12] = True
    return where


SUBJECT = scenes.tensor(scenes.scene(H, W, seed=5))


def test_calm_takes_flicker_from_what_stands_still():
    where, step = hand(20), Calm(1)
    src = torch.where(where, SUBJECT, PLATE)
    before, after = [], []
    for number in range(12):
        generator = torch.Generator().manual_seed(number)
        pha = where.float() * (0.8 + 0.2 * torch.rand(H, W, generator=generator))
        before.append(pha)
        found = step(frame(noisy(src, number), number, noisy(PLATE, 99)), matte(pha, 0.1))
        after.append(found.pha[0, 0])
    flicker = [torch.stack(x[4:]).diff(dim=0).square().mean().sqrt() for x in (before, after)]
    assert flicker[1] < 0.5 * flicker[0]
    assert (after[-1][where].mean() - 0.9).abs() < 0.03


def test_calm_leaves_no_ghost_behind_a_fast_hand():
    step = Calm(1)
    for number, x in enumerate((2, 2, 2, 14, 30, 45)):
        where = hand(x)
        src = noisy(torch.where(where, SUBJECT, PLATE), number)
        found = step(frame(src, number, noisy(PLATE, 99)), matte(where.float(), 0.1)).pha[0, 0]
        assert found[~where].max() < 0.02, number
        assert found[where].min() > 0.95, number


def test_calm_is_0_where_the_shot_equals_the_plate_whatever_came_before():
    step, where = Calm(1), hand(20)
    src = torch.where(where, SUBJECT, PLATE)
    for number in range(4):
        step(frame(noisy(src, number), number, noisy(PLATE, 99)), matte(where.float()))
    stale = matte(where.float() * 0.9, 0.3)  # the network still says that something is there
    found = step(frame(noisy(PLATE, 50), 5, noisy(PLATE, 99)), stale).pha[0, 0]
    assert found[14:36, 24:28].max() == 0


def test_a_plain_thing_before_a_plain_wall_of_its_colour_stays():
    wall = torch.full((3, H, W), 20, dtype=torch.uint8)
    found = Calm(1)(frame(noisy(wall, 1), 0, noisy(wall, 2)), matte(torch.full((H, W), 0.95), 0.1))
    assert torch.allclose(found.pha, torch.tensor(0.95))


def test_calm_forgets_at_a_cut_and_leaves_pictures_alone():
    step = Calm(1)
    step(frame(SUBJECT, 0), matte(torch.ones(H, W)))
    other = scenes.tensor(scenes.scene(H, W, seed=8))
    found = matte(torch.full((H, W), 0.3))
    assert torch.equal(step(frame(other, 1), found).pha, found.pha)
    still = Frame("a", Shot(SUBJECT), Shot(PLATE))
    assert step(still, found) is found
    assert Calm(0)(frame(other, 2), found) is found
