"""The trainer of a config, and the weights that a training starts from."""

import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from bgm.errors import BadInput
from bgm.train import GrowCrops, LastCheckpoint
from bgm.train.trainer import build_trainer, load_initial_weights, seed_training
from tests.cli.test_error_messages import TRAINED, composed

WORDS = (*TRAINED, "trainer.accelerator=cpu", "trainer.logger=false")


def kinds(*words):
    return [type(callback) for callback in build_trainer(composed(*WORDS, *words)).callbacks]


def test_a_callback_that_is_null_is_left_out():
    there = kinds()
    assert {GrowCrops, LastCheckpoint} <= set(there)
    without = kinds("callbacks.grow=null", "callbacks.last=null")
    assert without == [kind for kind in there if kind not in (GrowCrops, LastCheckpoint)]
    assert without == kinds("~callbacks.grow", "~callbacks.last")


@pytest.mark.parametrize(
    "word",
    [
        "callbacks.last.every_n_steps=0",
        "callbacks.pictures.every_n_steps=-1",
        "callbacks.pictures.rows=0",
        "callbacks.ema.update_every_n_steps=0",
        "augment.seed=-1",
        "augment.multiple=0",
        "stage.seed=-1",
        "data.train.seed=-1",
        "data.train.dataset.seed=-1",
    ],
)
def test_numbers_below_what_they_can_be_are_named(word):
    cfg, (place, _, name) = composed(*WORDS, word), word.partition("=")[0].rpartition(".")
    with pytest.raises(Exception, match=f"{name} (-1|0), expected") as refused:
        instantiate(OmegaConf.select(cfg, place))
    assert isinstance(refused.value, BadInput) or isinstance(refused.value.__cause__, BadInput)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_numpy_refuses_is_named(seed):
    with pytest.raises(BadInput, match=f"seed is {seed}, expected 0 to 4294967295"):
        seed_training(seed)


@pytest.mark.parametrize("word", ["callbacks.ema.decay=2", "stage.final_lr=-1"])
def test_shares_beyond_one_or_below_none_are_named(word):
    cfg, (place, _, name) = composed(*WORDS, word), word.partition("=")[0].rpartition(".")
    with pytest.raises(InstantiationException, match=rf"{name} is .*, expected"):
        instantiate(OmegaConf.select(cfg, place))


def test_of_several_files_each_is_taken_in_its_turn():
    class Stage:
        def __init__(self):
            self.files = []

        def start_from(self, file, kinds):
            self.files.append((file, kinds))

    for init, files in ((None, []), ("a", ["a"]), (["a", "b"], ["a", "b"])):
        stage = Stage()
        load_initial_weights(stage, OmegaConf.create({"init": init, "init_is": None}))
        assert stage.files == [(file, None) for file in files]
