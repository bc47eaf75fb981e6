"""The foreground's colour in the encoding of the shot."""

import pytest
import torch

from bgm.colour import Encoding
from bgm.infer.any_size import Matte
from bgm.infer.foreground import network_foreground
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
