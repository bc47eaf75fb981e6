"""The foreground's colour in the encoding of the shot."""

import pytest
import torch

from bgm.colour import Encoding
from bgm.infer.any_size import Matte
from bgm.infer.foreground import auto_foreground, clean_light, network_foreground
from bgm.infer.frame import Frame, Shot

ENCODINGS = [
    Encoding("bt709", "linear"),
    Encoding("p3", "srgb"),
    Encoding("bt2020", "hlg"),
    Encoding("adobergb", "gamma2.2"),
]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda e: f"{e.primaries}-{e.transfer}")
def test_what_the_network_leaves_alone_comes_back_to_the_last_bit(encoding):
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(3, 9, 7, generator=generator)
    values = values * 8 if encoding.transfer == "linear" else values
    src = Shot(values, encoding)
    alpha = torch.ones(1, 1, 9, 7)
    matte = Matte(alpha, src.display[None], alpha, None, (9, 7))
    found = network_foreground(Frame("a", src, src), matte)
    assert torch.equal(found.fgr[0], values)


def test_eight_bits_are_what_the_network_gave():
    src = Shot(torch.full((3, 4, 4), 90, dtype=torch.uint8))
    fgr, alpha = torch.rand(1, 3, 4, 4), torch.ones(1, 1, 4, 4)
    found = network_foreground(Frame("a", src, src), Matte(alpha, fgr, alpha, None, (4, 4)))
    assert torch.equal(found.fgr, fgr)


@pytest.mark.parametrize("alpha", [1.0, 0.8, 0.5, 0.25])
def test_a_highlight_in_hair_keeps_its_light(alpha):
    """Light of 8 in a single hair, of which the network can only say that it is white."""
    plate, dark = torch.full((3, 64, 64), 0.4), torch.tensor([0.2, 0.1, 0.05]).view(3, 1, 1)
    colour, pha = dark.expand(3, 64, 64).clone(), torch.zeros(1, 64, 64)
    pha[:, :, 24:40] = torch.linspace(0.1, 0.9, 16)
    pha[:, :, 40:] = 1
    colour[:, 30:34, 32] = 8.0
    pha[:, 30:34, 32] = alpha
    values = pha * colour + (1 - pha) * plate
    linear = Encoding("bt709", "linear")
    src = Shot(values, linear)
    network = Shot(colour.clamp(max=1), linear).display[None]
    matte = Matte(pha[None], network, torch.full((1, 1, 16, 16), 0.01), None, (64, 64))
    found = auto_foreground(Frame("a", src, Shot(plate, linear)), matte).fgr[0]
    torch.testing.assert_close(found[:, 30:34, 32], colour[:, 30:34, 32], rtol=0.02, atol=0)
    below = torch.ones(64, 64, dtype=torch.bool)
    below[26:38, 28:37] = False
    assert (found - colour)[:, below & (pha[0] > 0.2)].abs().max() < 0.05


def test_an_error_of_alpha_before_a_bright_plate_makes_no_highlight():
    """A dark hair before a sky of 3: too small an alpha must not invent sparks."""
    plate, pha = torch.full((3, 64, 64), 3.0), torch.zeros(1, 64, 64)
    pha[:, :, 30:34], pha[:, :, 40:] = 0.3, 1
    values = pha * 0.1 + (1 - pha) * plate
    linear = Encoding("bt709", "linear")
    wrong = (pha - 0.08).clamp(min=0) * (pha < 1) + (pha == 1)
    network = torch.full((1, 3, 64, 64), 0.35)
    matte = Matte(wrong[None], network, torch.full((1, 1, 16, 16), 0.05), None, (64, 64))
    frame = Frame("a", Shot(values, linear), Shot(plate, linear))
    assert auto_foreground(frame, matte).fgr[0, :, :, 30:34].max() < 0.5


@pytest.mark.parametrize("alpha", [0.0, 0.02, 0.3, 0.9])
def test_a_white_of_the_network_is_no_highlight_where_the_shot_is_dull(alpha):
    """On a screen 0.99 and 1.0 are neighbours; bent back they are light of 2 and of 100."""
    generator = torch.Generator().manual_seed(0)
    shot = torch.rand(1, 3, 32, 32, generator=generator) * 0.8
    plate, pha = shot.flip(3), torch.zeros(1, 1, 32, 32)
    pha[..., 8:24, 8:24] = alpha
    pha[..., 12:20, 12:20] = 1
    white = torch.rand(1, 1, 32, 32, generator=generator) < 0.2
    network = torch.where(white, torch.full_like(shot, 100.0), shot)
    err = torch.full_like(pha, 0.05)
    light = clean_light(shot, plate, pha, err, network, bounded=False)
    assert light[..., 8:24, 8:24].max() < 2
