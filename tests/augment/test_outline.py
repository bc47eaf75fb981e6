"""Soft outlines and fringes: what they change, what they leave, and older draws."""

import torch

from bgm.augment import Augment, Fringe, SoftOutline
from bgm.augment.recipe import LATER, ORDER


def disc(size: int = 64) -> torch.Tensor:
    """A hard disc of one colour, fgr and pha (1, 4, size, size)."""
    line = torch.arange(size) - (size - 1) / 2
    pha = (line[:, None] ** 2 + line**2 < (size / 3) ** 2).float()
    return torch.stack([0.8 * pha, 0.2 * pha, 0.1 * pha, pha])[None]


def test_a_soft_outline_is_soft_along_the_edge_and_sharp_within() -> None:
    x = disc()
    x[0, :3] *= 1 - 0.5 * (torch.arange(64) % 2)  # stripes, to see what is blurred
    draw = {"width": torch.tensor([5.0]), "where": torch.ones(1, 1, 4, 4)}
    soft = SoftOutline(1.0).apply(x, draw)
    pha = soft[0, 3]
    assert ((pha > 0.02) & (pha < 0.98)).sum() > 4 * 2 * 3.14 * 64 / 3  # px per px of edge
    torch.testing.assert_close(soft[0, :, 24:40, 24:40], x[0, :, 24:40, 24:40])
    assert pha[:8, :8].eq(0).all()
    none = {**draw, "where": torch.zeros(1, 1, 4, 4)}
    torch.testing.assert_close(SoftOutline(1.0).apply(x, none), x)


def test_a_fringe_colours_what_is_thin_and_leaves_alpha_and_what_is_opaque() -> None:
    x = torch.full((1, 4, 8, 8), 0.5)
    x[0, 3, :, :4] = 1.0
    draw = {"strength": torch.tensor([0.8]), "colours": torch.ones(1, 3, 2, 2)}
    made = Fringe(1.0).apply(x, draw)
    torch.testing.assert_close(made[:, 3], x[:, 3])
    torch.testing.assert_close(made[0, :3, :, :4], x[0, :3, :, :4])
    assert made[0, :3, :, 4:].sub(0.5 + 0.8 * 0.5 * 0.5).abs().max() < 1e-6


def test_outline_and_fringe_leave_older_draws_as_they_were() -> None:
    draws = torch.arange(6)
    with_them = Augment(64, outline=SoftOutline(0.5), fringe=Fringe(0.5), seed=4).draw(draws)
    without = Augment(64, seed=4).draw(draws)
    for name in (*ORDER, *LATER):
        for key, value in without.drawn[name].items():
            assert torch.equal(with_them.drawn[name][key], value)
