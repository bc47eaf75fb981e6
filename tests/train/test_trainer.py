"""The trainer of a config, and the weights that a training starts from."""

from omegaconf import OmegaConf

from bgm.train import GrowCrops, LastCheckpoint
from bgm.train.trainer import build_trainer, load_initial_weights
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
