"""Every config composes and every experiment's parts can be built."""

import re
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, get_object, instantiate
from omegaconf import OmegaConf
from torch import nn

from bgm.data.procedural import bodies, fields
from bgm.data.procedural.ranges import Ranges
from bgm.errors import BadInput
from bgm.train.learning_rates import frozen_parts, parameter_groups
from bgm.weights import build

CONF = Path(__file__).parents[1] / "conf"
EXPERIMENTS = sorted(p.stem for p in (CONF / "experiment").glob("*.yaml"))
APART = ("curriculum", "finetune")  # their networks are told elsewhere
STAGES = [e for e in EXPERIMENTS if e not in APART]
GROUPS = ("backbone", "augment", "data", "trainer", "callbacks", "network", "loss")


def composed(name: str, *overrides: str):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(name, list(overrides))


def test_nothing_was_lost():
    assert {"base", "demo", "demo_refine", "procedural", "refine", "small"} <= set(STAGES)
    assert set(APART) <= set(EXPERIMENTS)


@pytest.mark.parametrize("name", STAGES)
def test_experiment_composes_and_builds(name):
    cfg = composed("train", f"experiment={name}", "data_root=nowhere")
    refined = "refine" in name or "whole" in name
    network = OmegaConf.to_container(cfg.network, resolve=True)
    assert ("refiner" in network) == refined
    net = build(network)
    rates = OmegaConf.to_container(cfg.stage.lr, resolve=True)
    still = sum(p.numel() for part in frozen_parts(net, rates) for p in part.parameters())
    trained = sum(p.numel() for g in parameter_groups(net, rates) for p in g["params"])
    assert trained + still == sum(p.numel() for p in net.parameters())
    assert (still > 0) == name.startswith(("procedural_refine", "people_refine"))
    for part in (cfg.augment, cfg.valid_augment, cfg.data, cfg.data.train, cfg.data.valid):
        assert get_object(part._target_)
    assert cfg.valid_augment.seed != cfg.augment.seed
    assert cfg.data.train.seed != cfg.data.valid.seed


@pytest.mark.parametrize(
    "old",
    [
        ["old_data=procedural"],
        ["old_data=small"],
        ["old_data=folder", "old_root=x"],
        ["old_data/valid=scenes"],
    ],
)
def test_fine_tuning_composes_with_any_old_data(old):
    cfg = composed("train", "experiment=finetune", "init=x", "data_root=y", "old_scenes=z", *old)
    plain = OmegaConf.to_container(cfg.data, resolve=True)
    for part in (plain["train"]["old"], plain["old"], plain["train"]["new"], plain["valid"]):
        assert get_object(part["_target_"])
    assert get_object(cfg.stage._target_)
    assert "network" not in cfg  # it is the checkpoint's


def drawn_from(name: str) -> dict:
    cfg = composed("train", "data_root=nowhere", f"+ranges@drawn={name}")
    return {
        k: tuple(v) if isinstance(v, list) else v for k, v in vars(instantiate(cfg.drawn)).items()
    }


def test_the_yaml_has_every_range_of_the_generator_and_no_other():
    sources = (CONF.parent / "bgm" / "data" / "procedural").glob("*.py")
    read = {name for path in sources for name in re.findall(r"\br\.(\w+)", path.read_text())}
    assert drawn_from("all") == vars(Ranges())
    assert read | {*bodies.KINDS, *fields.KINDS} == set(vars(Ranges()))
    with pytest.raises(BadInput, match=r"ranges/all.yaml has no hare"):
        Ranges(hare=1.0)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("small", {"disguise", "mimic", "dark", "gray", "ghost", "smoke"}),
        ("camouflage", {"disguise", "mimic", "dark"}),
        ("captures", {"motion"}),
    ],
)
def test_named_ranges_differ_where_they_say(name, changed):
    usual, drawn = vars(Ranges()), drawn_from(name)
    assert {k for k in usual if usual[k] != drawn[k]} == changed


@pytest.mark.parametrize("group", GROUPS)
def test_every_choice_of_a_group_composes(group):
    for path in sorted((CONF / group).glob("*.yaml")):
        if path.stem in ("plate", "captures"):
            continue  # ingredients of other recipes
        cfg = composed("train", f"{group}={path.stem}", "data_root=nowhere")
        if group not in ("callbacks", "backbone", "loss"):
            assert get_class(cfg[group]._target_)


def test_the_other_scripts_compose():
    assert composed("eval", "ckpt=x").ckpt == "x"
    assert composed("predict", "model=x", "src=x", "bgr=x", "out=x").out == "x"


@pytest.mark.parametrize(
    "method",
    sorted(p for kind in ("crop", "replace", "patches") for p in (CONF / kind).glob("*.yaml")),
    ids=lambda p: f"{p.parent.name}={p.stem}",
)
def test_every_patch_method_can_be_built(method):
    assert isinstance(instantiate(OmegaConf.load(method)), nn.Module)
