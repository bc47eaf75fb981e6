"""The trainer of a config."""

from bgm.train import GrowCrops, LastCheckpoint
from bgm.train.trainer import build_trainer
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
