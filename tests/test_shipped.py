"""The network that comes with bgm: what its file says, and that it mattes."""

import json
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import bgm
from bgm.cli.release import read_run_cards
from bgm.data.procedural.ranges import Ranges
from bgm.export.certify.matting_set import MattingSet
from bgm.pictures import read_picture
from bgm.weights import read_weights
from bgm.weights.named_files import shipped, weights_file
from tests.test_configs import composed
from tests.test_line import script

ROOT = Path(__file__).parents[1]
NAME = "mobilenetv2"


@pytest.fixture(scope="module")
def card():
    return read_weights(weights_file(NAME)).about


@pytest.mark.parametrize("name", ["efficientnet_lite0", NAME])
def test_every_file_says_what_made_it(name):
    card = read_weights(weights_file(name)).about
    assert weights_file(name).stat().st_size < 12e6
    assert card["licence"] == "MIT"
    for made in card["trainings"]:
        assert len(made["git"]["commit"]) == 40
        assert made["hardware"]["cpu"]
        assert made.get("hours", 1) > 0
    assert (ROOT / "weights" / f"{name}.md").is_file()


PROCEDURAL = ["procedural", "procedural_large", "procedural_borders", "procedural_refine"]
PROCEDURAL += ["procedural_refine_settle"]


def test_the_file_says_how_it_was_made(card):
    assert shipped() == ["efficientnet_lite0", NAME]
    trainings = [t for t in card["trainings"] if "blend_of" not in t]
    names = [t["config"]["name"] for t in trainings]
    assert names == [*PROCEDURAL, *["people_refine"] * 2, *["people_whole"] * 4]
    for training in trainings:
        assert training["hours"] > 0
        assert training["command"].startswith(f"experiment={training['config']['name']} ")
    for made in card["trainings"]:
        assert len(made["git"]["commit"]) == 40
        assert not made["git"]["dirty"]
        assert made["hardware"]["cpu"]


def test_a_released_file_hands_on_what_made_it(card):
    assert read_run_cards(str(weights_file(NAME))) == card["trainings"]


LEARNT_BY = ["network", "stage", "augment", "batch_size", "seed"]
LEARNT_BY += [f"trainer.{key}" for key in ("max_steps", "precision", "gradient_clip_val")]
LEARNT_BY += [f"callbacks.{key}" for key in ("ema", "grow", "scales")]
LEARNT_BY += [f"data.train.{key}" for key in ("size", "own", "length", "seed", "dataset.size")]


def learnt_by(cfg: DictConfig) -> dict:
    """What decides what a training learns, as plain values."""
    parts = {key: OmegaConf.select(cfg, key) for key in LEARNT_BY}
    found = {
        key: OmegaConf.to_container(part, resolve=True) if OmegaConf.is_config(part) else part
        for key, part in parts.items()
    }
    drawn = OmegaConf.select(cfg, "data.train.dataset.ranges")
    ranges = instantiate(drawn, _convert_="all") if drawn else Ranges()
    return found | {k: list(v) if isinstance(v, tuple) else v for k, v in vars(ranges).items()}


PAPER = dict.fromkeys(("pha", "pha_sobel", "fgr", "err"), 1)  # every weight, before they were keys
PAPER_REFINED = PAPER | dict.fromkeys(("pha_sm", "pha_sm_sobel", "fgr_sm"), 1)
RENAMED = {
    '"lit":': '"stage":',
    "bgm.lit.BaseStage": "bgm.train.MattingStage",
    "bgm.lit.RefineStage": "bgm.train.MattingStage",
    "bgm.lit.": "bgm.train.",
    "bgm.augment.Exposure": "bgm.augment.ExposureJitter",
}


def with_todays_names(config: dict) -> dict:
    """A config of before the house was rearranged, in today's words."""
    text = json.dumps(config)
    for old, new in RENAMED.items():
        text = text.replace(old, new)
    config = json.loads(text)
    refined = "refiner" in config["network"]
    config["stage"]["loss"] = PAPER_REFINED if refined else PAPER
    config["stage"]["metrics"] = None  # of validations: they change no weight
    config["stage"]["seed"] = config["seed"]  # as Lightning had it, which the stage then asked
    return config


def changes(then: object, now: object, at: str = "") -> list[str]:
    """Where two plain configs differ; an option that came later may be there, if it is off."""
    if not (isinstance(then, dict) and isinstance(now, dict)):
        return [] if then == now else [f"{at[1:]}: {then} -> {now}"]
    both = [c for k in then.keys() & now.keys() for c in changes(then[k], now[k], f"{at}.{k}")]
    gone = [f"{at[1:]}.{k} is gone" for k in then.keys() - now.keys()]
    return both + gone + [f"{at[1:]}.{k}: {now[k]}" for k in now.keys() - then.keys() if now[k]]


def test_the_recipe_is_still_the_one_that_made_it(card):
    own = [t for t in card["trainings"] if t.get("config", {}).get("name") in PROCEDURAL]
    for training in own:
        then = learnt_by(OmegaConf.create(with_todays_names(training["config"])))
        experiment = f"experiment={training['config']['name']}"
        now = learnt_by(composed("train", experiment, "data_root=data"))
        assert changes(then, now) == []


def test_blends_say_what_of(card):
    blends = {at: t for at, t in enumerate(card["trainings"]) if "blend_of" in t}
    shares = {at: blend["config"]["share"] for at, blend in blends.items()}
    assert shares == {4: 0.5, 12: 0.67}  # between the refiner's two trainings, and at last
    assert all(len(x) == 64 for blend in blends.values() for x in blend["blend_of"].values())


def test_it_mattes_as_its_file_says(card):
    with torch.no_grad():
        found = MattingSet(card["float16"]["scenes"])(bgm.load(NAME))
    assert found["mad"] == pytest.approx(card["float16"]["mad"], rel=0.02)


def test_predict_needs_nothing_but_a_shot_and_a_plate(tmp_path):
    pictures = [f"{key}={ROOT / 'examples' / name}.jpg" for key, name in PICTURES.items()]
    assert script("predict", *pictures, f"out={tmp_path}", "outputs=[pha]") == 0
    pha = read_picture(tmp_path / "pha" / "shot.png")[0].float() / 255
    assert pha.shape == (768, 768)
    assert pha[420:, 300:500].mean() > 0.97  # the chest
    assert pha[:100, 650:].mean() < 0.03  # the wall


PICTURES = {"src": "shot", "bgr": "plate"}
