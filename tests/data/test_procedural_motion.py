"""Motion blur: alpha and colours together, from a stream of its own."""

import pytest
import torch

from bgm.data.procedural import Procedural, Ranges
from bgm.data.procedural.noise import blur_motion, smear

FAST = Ranges(motion=1.0, motion_length=(0.1, 0.1))


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_motion_leaves_every_other_choice_as_it_was():
    draws = list(range(12))
    still, half = (Procedural(48, 99, 5, Ranges(motion=p)).__getitems__(draws) for p in (0.0, 0.5))
    assert all(
        same(a, b) for a, b in zip(still, Procedural(48, 99, 5).__getitems__(draws), strict=True)
    )
    unmoved = [same(a[:2], b[:2]) for a, b in zip(still, half, strict=True)]
    assert 0 < sum(unmoved) < len(draws)
    assert all(torch.equal(a.bgr, b.bgr) for a, b in zip(still, half, strict=True))


@pytest.mark.parametrize("size", [48, (33, 73)])
def test_a_moved_sample_does_not_depend_on_its_batch(size):
    dataset = Procedural(size, 10, 1, Ranges(motion=0.7))
    together = dataset.__getitems__([3, 4, 5, 6, 7])
    assert all(
        same(sample, dataset[draw]) for sample, draw in zip(together, range(3, 8), strict=True)
    )


def test_a_smear_is_a_box_along_the_motion():
    x = torch.zeros(3, 1, 32, 32)
    x[:, :, 16, 16] = 1
    way = torch.tensor([[0.25, 0.0], [0.0, -0.25], [0.0, 0.0]])  # 8 px right, 8 up, none
    out = smear(x, way)
    torch.testing.assert_close(out.sum((1, 2, 3)), torch.ones(3))
    assert (out[0, 0, 16, 16:24] > 0.06).all()
    assert out[0, 0, :16].sum() == 0
    assert (out[1, 0, 9:17, 16] > 0.06).all()
    assert torch.equal(out[2], x[2])


def test_what_the_sensor_collects_is_the_smeared_composite():
    pha = torch.zeros(1, 1, 40, 40)
    pha[..., 10:30, 10:30] = 1
    fgr = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    way = torch.tensor([[0.15, 0.1]])
    moved, colour = blur_motion(pha, fgr, way)
    torch.testing.assert_close(moved, smear(pha, way))
    torch.testing.assert_close(moved * colour, smear(pha * fgr, way), rtol=0, atol=0.005)
    assert float(moved.max()) <= 1
    assert float(colour[:, :, 35:, 35:].std()) > 0.01  # still an extended colour, not black


def test_moved_mattes_are_softer():
    def soft(ranges: Ranges) -> float:
        samples = Procedural(64, 99, 2, ranges).__getitems__(list(range(12)))
        pha = torch.stack([sample.pha for sample in samples])
        return float(((pha > 5) & (pha < 250)).float().mean())

    assert soft(FAST) > soft(Ranges()) + 0.05
