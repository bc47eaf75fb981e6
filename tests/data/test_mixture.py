"""Mixing new and old data: the stated share, every new item once an epoch, draws of its own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bgm.data import Mixture, Procedural
from bgm.data.composites import Composites
from bgm.data.doctor.diagnosis import parts_of
from bgm.data.fingerprint import about
from bgm.errors import BadInput
from bgm.types import Sample
from tests.data.invented import InventedBackgrounds, InventedSubjects


class Toy:
    """Samples of one pixel that holds the draw they were asked for."""

    def __init__(self, length, sign=1):
        self.length, self.sign = length, sign

    def __len__(self):
        return self.length

    def __getitem__(self, draw):
        x = torch.full((3, 1, 1), float(self.sign * (draw + 1)))
        return Sample(x[:1], x, x, torch.tensor(self.sign > 0), torch.tensor(draw))


@settings(max_examples=50, deadline=None)
@given(new=st.integers(1, 30), old=st.integers(1, 30), share=st.floats(0, 0.9))
def test_an_epoch_holds_every_new_item_and_the_share(new, old, share):
    mixture = Mixture(Toy(new), Toy(old, -1), share)
    seen = {"new": [], "old": []}
    for draw in range(3 * len(mixture)):
        name, number = mixture.place(draw)
        seen[name].append(number)
    assert seen["new"] == list(range(3 * new))  # epoch after epoch, none left out, none twice
    assert seen["old"] == list(range(3 * mixture.count))
    wanted = new * share / (1 - share)
    assert abs(mixture.count - wanted) <= (1 if share else 0)
    assert mixture.count >= (share > 0)


def test_samples_come_from_both_with_the_draw_of_the_mixture():
    mixture = Mixture(Toy(4), Toy(9, -1), 0.5)
    draws = [0, 5, 3, 12, 8]
    samples = mixture[5], *mixture.__getitems__(draws)
    assert [int(s.pha) for s in samples] == [-2, 1, -2, 4, -5, 5]
    assert [int(s.draw) for s in samples] == [5, *draws]
    assert [bool(s.has_fgr) for s in samples] == [False, True, False, True, False, True]


def test_batches_equal_single_samples():
    mixture = Mixture(Procedural(16, 3, 0), Procedural(16, 50, 1), 0.25)
    for draw, sample in zip([0, 3, 6], mixture.__getitems__([0, 3, 6]), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(sample, mixture[draw], strict=True))


def test_only_new_data():
    mixture = Mixture(Toy(4), None, 0.0)
    assert len(mixture) == 4
    assert list(mixture.mixed) == ["new"]


@pytest.mark.parametrize(
    ("old", "share", "sentence"),
    [
        (Toy(3), 1.0, "share of old samples is 1.0"),
        (Toy(3), -0.1, "expected 0 <= share"),
        (None, 0.5, "found none"),
    ],
)
def test_refused(old, share, sentence):
    with pytest.raises(BadInput, match=sentence):
        Mixture(Toy(3), old, share)


def test_doctor_and_run_card_look_inside():
    new, old = (Composites(InventedSubjects(n), InventedBackgrounds(3), 16) for n in (4, 2))
    parts = parts_of("train", Mixture(new, old, 0.5))
    assert [p.where for p in parts[::2]] == ["train subjects", "old train subjects"]
    assert about(Mixture(new, old, 0.5))["old"]["subjects"] == 2
    facts = about(Mixture(Toy(4), Toy(2, -1), 0.5))
    assert (facts["items"], facts["new"]["items"], facts["old"]["items"]) == (8, 4, 2)
    assert facts["new"]["fingerprint"] != facts["old"]["fingerprint"]
