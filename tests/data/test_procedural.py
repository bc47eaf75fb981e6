"""The procedural data: pure functions of (seed, draw), valid samples, the variety asked for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bgm.data.procedural import Procedural, Ranges
from bgm.data.procedural.bodies import KINDS
from bgm.errors import BadInput

SIZES = [48, (33, 73), (97, 51)]  # odd ones too: vector loops leave remainders


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("size", SIZES)
def test_samples_are_valid(size):
    H, W = (size, size) if isinstance(size, int) else size
    for sample, draw in zip(
        Procedural(size, 100, 3).__getitems__([0, 7, 205]), [0, 7, 205], strict=True
    ):
        assert sample.pha.shape == (1, H, W)
        assert sample.fgr.shape == sample.bgr.shape == (3, H, W)
        assert all(picture.dtype == torch.uint8 for picture in sample[:3])
        assert bool(sample.has_fgr)
        assert sample.draw.dtype == torch.int64
        assert int(sample.draw) == draw


@settings(max_examples=6, deadline=None)
@given(
    draws=st.lists(st.integers(0, 5000), min_size=1, max_size=7),
    seed=st.integers(0, 1000),
    size=st.sampled_from(SIZES),
)
def test_a_sample_is_a_function_of_seed_and_draw_alone(draws, seed, size):
    dataset = Procedural(size, 10, seed)
    together = dataset.__getitems__(draws)
    assert all(same(sample, dataset[draw]) for sample, draw in zip(together, draws, strict=True))


def test_chunks_and_threads_change_nothing(monkeypatch):
    dataset, draws = Procedural(48, 10, 1), list(range(5))
    before = dataset.__getitems__(draws)
    threads = torch.get_num_threads()
    monkeypatch.setattr("bgm.data.procedural.dataset.CHUNK", 2 * 48 * 48)
    torch.set_num_threads(2 if threads == 1 else 1)
    try:
        after = dataset.__getitems__(draws)
    finally:
        torch.set_num_threads(threads)
    assert all(same(a, b) for a, b in zip(before, after, strict=True))


def test_global_random_state_is_neither_read_nor_moved():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state()
    a = Procedural(32, 10, 0)[4]
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(1)
    assert same(a, Procedural(32, 10, 0)[4])


def test_seeds_and_draws_differ():
    first = Procedural(32, 10, 0)
    assert not same(first[0][:3], first[1][:3])
    assert not same(first[0][:3], first[10][:3])  # the next epoch's item 0
    assert not same(first[0][:3], Procedural(32, 10, 1)[0][:3])


def test_mattes_and_pictures_vary_as_real_ones_do():
    samples = Procedural(64, 100, 5).__getitems__(list(range(48)))
    pha = torch.stack([sample.pha for sample in samples]).float() / 255
    area = pha.mean((1, 2, 3))
    assert 0.15 < float(area.mean()) < 0.6
    assert float(area.std()) > 0.1
    soft = ((pha > 0.02) & (pha < 0.98)).float().mean((1, 2, 3))
    assert 0.03 < float(soft.mean()) < 0.4
    assert float((pha == 0).float().mean()) > 0.3  # exactly 0 and 1, as true mattes have
    assert float((pha == 1).float().mean()) > 0.1
    touches = (pha[:, 0, -1].amax(1) > 0.5).float().mean()
    assert float(touches) > 0.4  # cut by the lower border
    for name in ("fgr", "bgr"):
        picture = torch.stack([getattr(sample, name) for sample in samples]).float() / 255
        assert float(picture.mean((1, 2, 3)).std()) > 0.1  # dark and bright scenes
        assert float(picture.std((2, 3)).median()) > 0.05  # textured


def test_foreground_is_defined_under_zero_alpha():
    samples = Procedural(64, 100, 5).__getitems__(list(range(16)))
    outside = [sample.fgr[:, sample.pha[0] == 0].float() for sample in samples]
    assert sum(float(colours.std()) > 2 for colours in outside if colours.shape[1] > 50) > 8


def test_content_looks_alike_at_another_size():
    small, large = Procedural(64, 10, 2), Procedural(192, 10, 2)
    for draw in range(6):
        a = small[draw].pha.float()[None] / 255
        b = torch.nn.functional.avg_pool2d(large[draw].pha.float()[None] / 255, 3)
        assert float((a - b).abs().mean()) < 0.12


def test_ranges_are_heeded():
    hairless = {"hair": 0.0, "fur": 0.0, "beast": 0.0, "plant": 0.0, "whiskers": 0.0}
    plain = {"soft": 0.0, "smoke": 0.0, "glass": 0.0, "ghost": 0.0, "ragged": 0.0}
    sharp = Procedural(96, 10, 0, Ranges(**hairless, **plain)).__getitems__(list(range(8)))
    ghosts = Procedural(96, 10, 0, Ranges(ghost=1.0, ghost_pha=(0.4, 0.5))).__getitems__([0, 1])
    soft = torch.stack([((s.pha > 5) & (s.pha < 250)).float().mean() for s in sharp])
    assert float(soft.mean()) < 0.09
    assert all(100 <= int(sample.pha.max()) <= 128 for sample in ghosts)


@pytest.mark.parametrize(
    ("size", "length", "seed"), [(8, 1, 0), ((64, 4), 1, 0), (64, 0, 0), (64, 1, -1)]
)
def test_bad_arguments_are_named(size, length, seed):
    with pytest.raises(BadInput, match="expected"):
        Procedural(size, length, seed)


def test_a_negative_draw_is_an_index_error():
    with pytest.raises(IndexError):
        Procedural(32, 4, 0)[-1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"disguise": 2},
        {"plant": -1},
        {"hair": (0.1, 0.5)},
        {"zoom": 1.0},
        {"zoom": (1.2, 0.7)},
        dict.fromkeys(KINDS, 0),
    ],
)
def test_ranges_that_are_none_are_named(wrong):
    with pytest.raises(BadInput, match=rf"ranges.*{next(iter(wrong))}.*, expected"):
        Procedural(48, 9, 0, Ranges(**wrong))
