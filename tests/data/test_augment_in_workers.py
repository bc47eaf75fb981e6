"""Augmented in the workers: the same batches to the bit, whenever the size of the crops changes."""

import pytest
import torch
from pytorch_lightning import Trainer

from bgm.augment import Augment, ColourJitter, Noise
from bgm.data import MattingData, Procedural
from bgm.data.composites import collate
from bgm.data.loaders.augment_in_workers import LIMIT, AugmentInWorkers, packed, unpacked
from bgm.types import Batch
from tests.quiet import QUIET

STEPS = 7


def data(workers):
    augment = Augment(
        48, (32, 48), noise=Noise(p=1.0, std=0.1), jitter=ColourJitter(p=0.7, contrast=0.3)
    )
    return MattingData(Procedural(48, 2 * STEPS, 0), augment=augment, batch_size=2, workers=workers)


def batches(workers, sizes):
    """What arrives in a step; sizes: step -> the size of crops from then on."""
    made = data(workers)
    made.trainer = Trainer(**QUIET, enable_checkpointing=False)
    kinds, found = [], []
    for step, given in enumerate(made.train_dataloader(), 1):
        kinds.append(type(given))
        found.append(made.on_after_batch_transfer(given))
        if step in sizes:
            made.augment.resize(sizes[step], (16, sizes[step]))
    return kinds, found


@pytest.mark.parametrize("sizes", [{}, {2: 32, 5: 40}])
def test_batches_are_those_without_workers(sizes):
    _, plain = batches(0, sizes)
    kinds, ahead = batches(1, sizes)
    assert len(plain) == len(ahead) == STEPS
    assert set(kinds) == {Batch}
    for one, other in zip(plain, ahead, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(one, other, strict=True))


def test_what_was_made_at_another_size_is_made_again():
    augment = data(0).augment
    ahead, sample = (
        AugmentInWorkers(augment, collate),
        collate([Procedural(48, 2, 0)[n] for n in range(2)]),
    )
    made = (augment(sample), packed(augment.setting))
    assert ahead.chosen(sample, made) is made[0]
    augment.resize(32, (16, 24))
    again = ahead.chosen(sample, made)
    assert max(again.src.shape[-2:]) <= 24
    assert all(torch.equal(x, y) for x, y in zip(again, augment(sample), strict=True))


def test_large_batches_are_augmented_in_the_training_process(monkeypatch):
    monkeypatch.setattr("bgm.data.loaders.augment_in_workers.LIMIT", 1000)
    kinds, _ = batches(1, {})
    assert Batch not in kinds
    assert LIMIT > 4 * 256**2 * 40  # the refine stage of the demo


def test_a_setting_is_one_number():
    assert unpacked(packed((2048, 16, 2047))) == (2048, 16, 2047)
