"""Augmented in the workers: the same batches to the bit, whenever the size of the crops changes."""

import pytest
import torch
from pytorch_lightning import Trainer

from bgm.augment import Augment, ColourJitter, Noise
from bgm.data import MattingData, Procedural
from bgm.data.composites import collate
from bgm.data.loaders.augment_in_workers import LIMIT, AugmentInWorkers
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
    kinds, in_workers = batches(1, sizes)
    assert len(plain) == len(in_workers) == STEPS
    assert set(kinds) == {Batch}
    for one, other in zip(plain, in_workers, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(one, other, strict=True))


def test_what_was_augmented_at_another_size_is_augmented_again():
    augment = data(0).augment
    in_workers = AugmentInWorkers(augment, collate)
    sample = collate([Procedural(48, 2, 0)[n] for n in range(2)])
    augmented = (augment(sample), augment.setting)
    assert in_workers.choose(sample, augmented) is augmented[0]
    augment.resize(32, (16, 24))
    again = in_workers.choose(sample, augmented)
    assert max(again.src.shape[-2:]) <= 24
    assert all(torch.equal(x, y) for x, y in zip(again, augment(sample), strict=True))
    in_workers.share_setting()
    assert tuple(in_workers.setting[:]) == augment.setting == (32, 16, 24)


def test_large_batches_are_augmented_in_the_training_process(monkeypatch):
    monkeypatch.setattr("bgm.data.loaders.augment_in_workers.LIMIT", 1000)
    kinds, _ = batches(1, {})
    assert Batch not in kinds
    assert LIMIT > 4 * 256**2 * 40  # the refine stage of the demo
