"""The learning-rate tree covers every parameter once; the schedule follows the step alone."""

import pytest

from bgm.errors import BadInput
from bgm.model import MattingBase, MattingRefine, PatchRefiner, mobilenetv2
from bgm.train.learning_rates import check_schedule, factor, parameter_groups

TREE = {"base": {"backbone": 1e-4, "aspp": 2e-4, "decoder": 3e-4}, "refiner": 4e-4}


def net():
    return MattingRefine(MattingBase(mobilenetv2()), PatchRefiner())


def test_every_parameter_once_at_its_rate():
    network = net()
    groups = parameter_groups(network, TREE)
    assert {g["name"]: g["lr"] for g in groups} == {
        "base.backbone": 1e-4,
        "base.aspp": 2e-4,
        "base.decoder": 3e-4,
        "refiner": 4e-4,
    }
    grouped = [p for g in groups for p in g["params"]]
    assert len(grouped) == len({id(p) for p in grouped}) == len(list(network.parameters()))


def test_null_freezes():
    network = net()
    groups = parameter_groups(network, {"base": None, "refiner": 1e-3})
    assert len(groups) == 1
    assert not any(p.requires_grad for p in network.base.parameters())
    assert all(p.requires_grad for p in network.refiner.parameters())
    with pytest.raises(BadInput, match="frozen"):
        parameter_groups(network, None)


@pytest.mark.parametrize(
    "tree",
    [
        {"base": TREE["base"]},
        TREE | {"decoder": 1e-4},
        {"base": {"backbone": 1e-4}, "refiner": 1e-4},
    ],
)
def test_gaps_and_strangers_are_named(tree):
    with pytest.raises(BadInput, match=r"lr.* names .* network's parts"):
        parameter_groups(net(), tree)


@pytest.mark.parametrize("rate", ["conv4:3e-4", -1e-3, 0, True, float("nan"), float("inf"), [1]])
def test_what_is_no_rate_is_named(rate):
    with pytest.raises(BadInput, match=r"lr\.refiner is .*, expected a number above 0, or null"):
        parameter_groups(net(), TREE | {"refiner": rate})


def test_schedule():
    assert [factor(s, 100, 4, 1.0) for s in (0, 3, 4, 50, 100)] == [0.2, 0.8, 1, 1, 1]
    falling = [factor(s, 100, 0, 0.1) for s in range(101)]
    assert falling == sorted(falling, reverse=True)
    assert (falling[0], round(falling[100], 9)) == (1.0, 0.1)


@pytest.mark.parametrize(
    ("warmup", "final", "said"),
    [
        (-5, 1.0, "stage.warmup_steps is -5, expected 0 or more"),
        (0, -1, "stage.final_lr is -1, expected 0 to 1"),
        (0, 1.5, "stage.final_lr is 1.5, expected 0 to 1"),
        (0, float("nan"), "stage.final_lr is nan, expected 0 to 1"),
    ],
)
def test_a_schedule_that_leads_to_no_rate_is_refused(warmup, final, said):
    with pytest.raises(BadInput, match=said):
        check_schedule(warmup, final)
