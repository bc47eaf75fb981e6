"""What subject and surroundings do to each other in the shot: in src alone, where it belongs."""

import pytest
import torch

from bgm.augment import Augment, CastShadow, ContactShadow, Reflection, Spill
from bgm.augment.light import foot_row, project_up
from bgm.types import Sample

S = 64
KINDS = {
    "reflection": Reflection(1.0),
    "contact": ContactShadow(1.0),
    "cast": CastShadow(1.0),
    "spill": Spill(1.0),
}
GROUND = ("reflection", "contact", "cast")


def standing(n: int, bottom: int = 44) -> Sample:
    """A bright box on rows 16 to bottom, columns 24 to 40, before light gray."""
    pha = torch.zeros(n, 1, S, S)
    pha[:, :, 16:bottom, 24:40] = 1
    bgr, fgr = torch.full((n, 3, S, S), 0.7), torch.full((n, 3, S, S), 0.2)
    return Sample(pha, fgr, bgr, torch.ones(n, dtype=torch.bool), torch.arange(n))


def shot(sample: Sample, **kinds) -> torch.Tensor:
    """How much darker src is than without, (B, H, W)."""
    return (Augment(S)(sample).src - Augment(S, **kinds)(sample).src).mean(1)


@pytest.mark.parametrize("name", GROUND)
def test_the_plate_and_the_truth_know_nothing_of_it(name):
    sample = standing(6)
    batch = Augment(S, **{name: KINDS[name]})(sample)
    for field in ("bgr", "pha", "fgr"):
        assert torch.equal(getattr(batch, field), getattr(sample, field))
    solid = (sample.pha == 1).expand_as(batch.src)
    assert torch.equal(batch.src[solid], sample.fgr[solid])
    assert (batch.src != Augment(S)(sample).src).flatten(1).any(1).all()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_other_choices_and_the_older_streams_stay(name):
    draws = torch.arange(30)
    few, many = (Augment(S, **{name: type(KINDS[name])(p)}).draw(draws).drawn for p in (0.2, 0.9))
    for field, draw in few.items():
        for what in draw.keys() - {"on"}:
            assert torch.equal(draw[what], many[field][what]), (field, what)
    assert (few[name]["on"] <= many[name]["on"]).all()


def test_a_contact_shadow_is_darkest_at_the_foot_and_stays_there():
    dark = shot(standing(8), contact=ContactShadow(1.0, (0.5, 0.5), (0.05, 0.05), (24.0, 24.0)))
    below = dark[:, 44:, 24:40].mean(2)
    assert (below[:, 0] > 0.05).all()
    assert (below[:, 0] > below[:, 2]).all()
    assert dark[:, :36].abs().max() < 1e-6
    assert dark[:, 54:].abs().max() < 1e-6
    assert dark.max() <= 0.7 * 0.5 + 1e-6


@pytest.mark.parametrize("near", [0.0, 1.0])
def test_a_cast_shadow_starts_at_the_foot_and_fades(near):
    cast = CastShadow(1.0, 1.0, (1.0, 1.0), (0.4, 0.4), near, depth=(0.5, 0.5), fade=(0.8, 0.8),
                      width=(1.0, 1.0), spread=(4.0, 4.0))  # fmt: skip
    dark = shot(standing(8), cast=cast)
    rows = dark.amax(2)
    ahead, behind = rows[:, 46:].amax(1), rows[:, :40].amax(1)
    assert ((ahead > 0.1) == (near == 1)).all()
    assert ((behind > 0.05) == (near == 0)).all()
    foot_row = 46 if near else 41
    assert (rows[:, foot_row] > rows[:, 54 if near else 33]).all()
    assert dark.min() >= -1e-6
    sideways = dark.sum(1)
    left, right = sideways[:, :24].sum(1), sideways[:, 40:].sum(1)
    assert ((left > 1) != (right > 1)).all()  # one lamp


def test_who_is_cut_by_the_frame_stands_on_no_floor():
    portrait = standing(8, bottom=S)
    assert shot(portrait, contact=ContactShadow(1.0)).abs().max() == 0
    assert shot(portrait, reflection=Reflection(1.0)).abs().max() == 0
    dark = shot(portrait, cast=CastShadow(1.0, 1.0, shift=0.2, width=(1.0, 1.0)))
    seen = dark.flatten(1).amax(1) > 0.05  # on the wall: a shifted copy, down to the border
    assert seen.sum() >= 6
    assert (dark[seen, -1].amax(1) > 0.05).all()


def test_a_reflection_hangs_from_the_foot_and_fades_down():
    mirror = Reflection(1.0, (0.5, 0.5), (0.3, 0.3), (1.0, 1.0))
    dark = shot(standing(4), reflection=mirror)
    below = dark[:, 44:, 28:36].mean(2)  # 0.7 towards 0.2
    torch.testing.assert_close(below[:, 0], torch.full((4,), 0.25), rtol=0, atol=0.03)
    assert (below[:, :-1] >= below[:, 1:] - 1e-6).all()
    assert below[:, 19:].abs().max() < 1e-6
    assert dark[:, :44].abs().max() < 1e-6
    assert dark[:, :, :20].abs().max() < 1e-6


def test_a_mirror_turns_the_subject_over():
    x = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    y0, none = torch.tensor([7.0, 7.0]), torch.zeros(2)
    over = project_up(x, y0, none, none - 1, torch.zeros(2, 2))
    torch.testing.assert_close(over[:, :, 1:14], x[:, :, 1:14].flip(2), rtol=0, atol=1e-5)


def test_spilt_light_is_brightest_at_the_rim_and_is_the_truth():
    sample = standing(4)
    batch = Augment(S, spill=Spill(1.0, (0.5, 0.5), (64.0, 64.0)))(sample)
    gain = (batch.fgr - sample.fgr).mean(1)
    assert gain.min() >= 0
    assert (gain[:, 30, 24] > gain[:, 30, 31] + 0.02).all()
    assert torch.equal(batch.bgr, sample.bgr)
    torch.testing.assert_close(
        batch.src, batch.fgr * batch.pha + batch.bgr * (1 - batch.pha), rtol=0, atol=1e-6
    )


def test_nobody_there():
    assert foot_row(torch.zeros(2, 1, 8, 8)).tolist() == [0, 0]
    empty = standing(3)._replace(pha=torch.zeros(3, 1, S, S))
    kinds = {name: KINDS[name] for name in GROUND}
    assert shot(empty, **kinds).abs().max() == 0
    assert torch.isfinite(Augment(S, **KINDS)(empty).src).all()
    haze = empty._replace(pha=torch.full((3, 1, S, S), 0.3))  # nothing solid: it mirrors nowhere
    assert shot(haze, contact=KINDS["contact"], reflection=KINDS["reflection"]).abs().max() == 0
