"""What the recipe draws: ranges, crops, rows that belong to samples."""

import pytest
import torch

from bgm.augment import (
    Affine,
    Augment,
    BatchRng,
    Blur,
    ColourJitter,
    Noise,
    Shadow,
)
from bgm.errors import BadInput
from tests.augment.test_recipe import INGREDIENTS, S, all_on, make


def test_a_probability_does_not_disturb_the_other_choices():
    draws = torch.arange(20)
    few = all_on(plate_jitter=ColourJitter(0.3, 0.18, 0.18, 0.18, 0.1)).draw(draws).drawn
    many = all_on(plate_jitter=ColourJitter(0.8, 0.18, 0.18, 0.18, 0.1)).draw(draws).drawn
    assert (few["plate_jitter"]["on"] <= many["plate_jitter"]["on"]).all()
    assert torch.equal(few["plate_jitter"]["hue"], many["plate_jitter"]["hue"])
    assert torch.equal(few["plate_affine"]["angle"], many["plate_affine"]["angle"])


def test_statistics_of_the_draws():
    augment = Augment(
        512, (256, 511), seed=1,
        fgr_affine=Affine(1.0, 5.0, 0.1, (0.4, 1.0), 5.0, flip=0.5), blur=Blur(0.1, 5.0),
        shadow=Shadow(0.3, 0.3, (20.0, 40.0)), noise=Noise(0.4, 0.1732, power=0.5),
    )  # fmt: skip
    d = augment.draw(torch.arange(3000)).drawn
    for on, p in ((d["fgr_blur"]["on"], 0.1), (d["shadow"]["on"], 0.3), (d["src_noise"]["on"], 0.4),
                  (d["fgr_affine"]["flip"], 0.5), (d["plate_jitter"]["on"], 0.0)):  # fmt: skip
        assert on.float().mean().item() == pytest.approx(p, abs=0.04)
    for x, low, high in ((d["fgr_affine"]["scale"], 0.4, 1.0), (d["fgr_affine"]["angle"], -5, 5),
                         (d["fgr_affine"]["shift"], -0.1, 0.1), (d["fgr_blur"]["width"], 1, 11),
                         (d["shadow"]["depth"], 0, 0.3), (d["shadow"]["width"], 20, 40),
                         (d["src_noise"]["std"]**2, 0, 0.03)):  # fmt: skip
        assert low <= x.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < x.max() <= high + 1e-5
        assert x.mean().item() == pytest.approx((low + high) / 2, abs=0.02 * (high - low))
    assert torch.equal(d["src_noise"]["on"], d["plate_noise"]["on"])
    assert not torch.equal(d["src_noise"]["std"], d["plate_noise"]["std"])
    assert d["src_noise"]["seed"].unique().numel() == 3000


def test_seeds_and_draws_differ():
    one, other = all_on(), Augment(S, (32, 44), seed=4, **INGREDIENTS)
    draws = torch.tensor([5, 5 + 2**33])
    assert (
        one.draw(draws).drawn["fgr_affine"]["angle"]
        != other.draw(draws).drawn["fgr_affine"]["angle"]
    ).all()
    assert one.draw(draws).drawn["fgr_affine"]["angle"].unique().numel() == 2


def test_crop_sizes_cover_their_range():
    augment = Augment(64, (40, 63), seed=0)
    sizes = torch.stack([augment.draw(torch.tensor([k])).crop for k in range(300)])
    assert (
        sizes[:, 0].unique().tolist() == sizes[:, 1].unique().tolist() == [40, 44, 48, 52, 56, 60]
    )
    assert not torch.equal(sizes[:, 0], sizes[:, 1])


def test_dice_rows_belong_to_draws():
    a, b = BatchRng(1, [7, 8, 9]), BatchRng(1, [9])
    for _ in range(5):
        assert a.uniform(-2, 3)[2] == b.uniform(-2, 3)[0]


def test_crops_out_of_a_list():
    crops = [16, [32, 48], [48, 24]]
    augment = Augment(48, (16, 48), crops=crops)
    drawn = [tuple(augment.draw(torch.tensor([n])).crop.tolist()) for n in range(60)]
    assert set(drawn) == {(16, 16), (32, 48), (48, 24)}
    assert drawn == [tuple(augment.draw(torch.tensor([n])).crop.tolist()) for n in range(60)]
    for n in range(6):
        batch = augment(make([n, n + 1]))
        assert batch.src.shape[2:] == batch.pha.shape[2:] == drawn[n]


@pytest.mark.parametrize("crops", [[52], [30], [[16, 16, 16]], [[16, 64]], [0]])
def test_crops_that_do_not_fit(crops):
    with pytest.raises(BadInput, match=r"crops has .*multiples of 4 up to 48"):
        Augment(48, crops=crops)


def test_fixed_crops_do_not_grow():
    with pytest.raises(BadInput, match="cannot grow"):
        Augment(48, crops=[16]).resize(32, (16, 32))
