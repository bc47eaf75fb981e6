"""The words that choose patches: what they mean together, and what contradicts."""

import pytest

from bgm.errors import BadInput
from bgm.model import Full, PatchRefiner, Sampling, Thresholding, choose_select
from bgm.model.selection import check_kernel_size


def test_words_make_a_selection_and_none_keep_the_networks_own():
    assert choose_select() is None
    assert choose_select(sample_pixels=320).sample_pixels == 320
    assert choose_select("sampling", sample_pixels=1e5).sample_pixels == 100_000
    assert choose_select("sampling").sample_pixels == Sampling().sample_pixels
    assert choose_select(threshold=0.3).threshold == 0.3
    assert choose_select(threshold=0).threshold == 0
    assert choose_select("thresholding").threshold == Thresholding().threshold
    assert isinstance(choose_select("full"), Full)
    own = Thresholding(0.7)
    assert choose_select(own) is own


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"select": "best"}, "select best is none of sampling, thresholding, full"),
        ({"select": "full", "sample_pixels": 320}, "320 is for select=sampling, found full"),
        ({"select": "sampling", "threshold": 0.1}, "0.1 is for select=thresholding, found sampl"),
        ({"select": Full(), "threshold": 0.1}, "0.1 is for select=thresholding, found Full"),
        ({"sample_pixels": 320, "threshold": 0.1}, "give one of them"),
        ({"sample_pixels": 15}, "sample_pixels is 15, expected 16"),
        ({"sample_pixels": "many"}, "sample_pixels is many, expected 16"),
        ({"threshold": 1.5}, "threshold is 1.5, expected a number from 0 to 1"),
        ({"threshold": True}, "threshold is True, expected a number from 0 to 1"),
    ],
)
def test_words_that_contradict_or_mean_nothing_are_one_sentence(words, sentence):
    with pytest.raises(BadInput, match=sentence):
        choose_select(**words)


@pytest.mark.parametrize("own", [1, 3])
def test_a_kernel_size_is_trained(own):
    net = PatchRefiner(own)
    for wanted in (None, own):
        check_kernel_size(net, wanted, "it")
    with pytest.raises(BadInput, match=f"it has a refiner of kernel_size {own}, found"):
        check_kernel_size(net, 4 - own, "it")
    with pytest.raises(BadInput, match="it has no refiner, found kernel_size=3"):
        check_kernel_size(None, 3, "it")


class WithRefiner:
    def __init__(self, refiner):
        self.refiner = refiner
