"""The median plate: exact where the place is empty in most shots, in any strips."""

import pytest
import torch

from bgm.errors import BadInput
from bgm.infer.plate.median import median_plate


@pytest.mark.parametrize("memory", [1, 20_000, 1e9])
def test_a_subject_that_moves_is_gone(memory):
    place = torch.rand(3, 40, 60)
    shots = place.repeat(5, 1, 1, 1)
    for number in range(5):
        shots[number, :, 5:35, 12 * number : 12 * number + 12] = torch.rand(3, 30, 12)
    assert torch.equal(median_plate(shots, memory), place)


def test_too_few_shots():
    with pytest.raises(BadInput, match="the median of 2 pictures is no plate: expected at least 3"):
        median_plate(torch.rand(2, 3, 8, 8))
