import itertools

import pytest
import torch

from bgm.errors import BadInput
from bgm.video.ycbcr import WEIGHTS, Planes, from_rgb, to_rgb
from tests.video.clips import ramps

BITS, FULL = (8, 10, 12), (False, True)


@pytest.mark.parametrize(("bits", "full", "matrix"), itertools.product(BITS, FULL, WEIGHTS))
def test_white_black_and_red_have_the_codes_of_the_standard(bits, full, matrix):
    planes = Planes(bits, (False, False), full, matrix)
    x = torch.tensor([[1.0, 0, 1], [1, 0, 0], [1, 0, 0]])[:, None]  # white, black, red
    y, cb, cr = from_rgb(x, planes)
    step, red = 2 ** (bits - 8), WEIGHTS[matrix][0]
    white, black = (2**bits - 1, 0) if full else (235 * step, 16 * step)
    assert y[0].tolist() == [white, black, round(black + red * (white - black))]
    assert cb[0, :2].tolist() == cr[0, :2].tolist() == [128 * step] * 2
    assert cr[0, 2] == (2**bits - 1 if full else 240 * step)


@pytest.mark.parametrize(("bits", "full", "matrix"), itertools.product(BITS, FULL, WEIGHTS))
def test_there_and_back_is_within_a_code(bits, full, matrix):
    planes = Planes(bits, (False, False), full, matrix)
    x = torch.rand(3, 9, 11, generator=torch.Generator().manual_seed(0))
    assert (to_rgb(*from_rgb(x, planes), planes) - x).abs().max() < 1.7 / 2**bits


def test_mattes_on_another_device_become_codes_there():
    x = torch.empty(3, 8, 8, device="meta")  # any device that will not be mixed with the CPU
    for halved in ((False, False), (True, True)):
        assert all(v.is_meta for v in from_rgb(x, Planes(10, halved, False, 1)))


@pytest.mark.parametrize("halved", [(True, True), (False, True)])
@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1), (2, 3)])
def test_smooth_colours_survive_halved_chroma_in_place(halved, size):
    """A shift of chroma by half a sample would be an error of 0.01 here."""
    planes = Planes(12, halved, False, 1)
    x = ramps(size=size)
    y, cb, cr = from_rgb(x, planes)
    assert tuple(cb.shape) == (
        -(-size[0] // (1 + halved[0])),
        -(-size[1] // (1 + halved[1])),
    )
    inner = (to_rgb(y, cb, cr, planes) - x).abs()[:, 2:-2, 2:-2]
    assert inner.numel() == 0 or inner.max() < 2e-3


def test_codes_above_white_are_kept_and_sync_codes_are_never_written():
    planes = Planes(8, (False, False), False, 1)
    gray = torch.full((1, 1), 128)
    assert to_rgb(torch.full((1, 1), 254), gray, gray, planes).min() > 1.08
    y, _, _ = from_rgb(torch.tensor([2.0, -1.0]).view(1, 1, 2).expand(3, 1, 2), planes)
    assert y.tolist() == [[254, 1]]


def test_an_unknown_matrix_is_named():
    with pytest.raises(BadInput, match="matrix 10"):
        to_rgb(*torch.zeros(3, 2, 2), Planes(8, (False, False), False, 10))
