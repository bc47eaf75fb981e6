"""The pool: samples made once, mixed by (seed, draw) alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bgm.data import Pool
from bgm.errors import BadInput
from bgm.types import Sample


class Numbered:
    """Sample n is filled with n; counts what is asked for."""

    def __init__(self):
        self.made = []

    def __getitem__(self, n):
        self.made.append(n)
        x = torch.full((3, 4, 4), n, dtype=torch.uint8)
        return Sample(x[:1], x, x, torch.tensor(True), torch.tensor(n))


def subject_and_background(sample):
    assert sample.pha[0, 0, 0] == sample.fgr[0, 0, 0]
    return int(sample.fgr[0, 0, 0]), int(sample.bgr[0, 0, 0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=20), st.integers(0, 5))
def test_a_sample_is_a_function_of_seed_and_draw(draws, seed):
    together = Pool(Numbered(), 7, 100, seed).__getitems__(draws)
    used = Pool(Numbered(), 7, 100, seed)
    alone = [used[draw] for draw in reversed(draws)][::-1]
    assert [*map(subject_and_background, together)] == [*map(subject_and_background, alone)]
    assert [int(s.draw) for s in together] == draws


def test_nothing_is_made_twice_and_everything_is_used():
    numbered = Numbered()
    pool = Pool(numbered, 5, 300, 0)
    pairs = {subject_and_background(pool[draw]) for draw in range(300)}
    assert sorted(numbered.made) == [0, 1, 2, 3, 4]
    assert len(pairs) == 25


@pytest.mark.parametrize(("own", "low", "high"), [(0.0, 0.1, 0.3), (0.5, 0.5, 0.7), (1.0, 1, 1)])
def test_subjects_keep_their_own_background_as_often_as_asked(own, low, high):
    pool = Pool(Numbered(), 5, 1000, 3, own)
    kept = sum(a == b for a, b in map(pool.pair, range(1000))) / 1000
    assert low <= kept <= high  # a fifth of the others are their own by chance


@pytest.mark.parametrize("wrong", [{"size": 0}, {"length": 0}, {"own": 1.5}, {"seed": -1}])
def test_numbers_out_of_range_are_named(wrong):
    with pytest.raises(BadInput, match=r"a pool has \w+ [\d.-]+, expected"):
        Pool(Numbered(), **({"size": 4, "length": 9, "seed": 0} | wrong))
