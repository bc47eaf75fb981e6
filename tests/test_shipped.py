"""The network that comes with bgm: what its file says, and that it mattes."""

from pathlib import Path

import pytest
import torch

import bgm
from bgm.cli.judging import MattingSet
from bgm.pictures import read_picture
from bgm.weights import read_weights
from bgm.weights.shipped import located, shipped
from tests.test_line import script

ROOT = Path(__file__).parents[1]
NAME = "mobilenetv2"


@pytest.fixture(scope="module")
def card():
    return read_weights(located(NAME)).card


def test_the_file_says_how_it_was_made(card):
    assert shipped() == [NAME]
    assert located(NAME).stat().st_size < 12e6
    assert card["licence"] == "MIT"
    trainings = [t for t in card["trainings"] if "blend_of" not in t]
    assert [t["config"]["name"] for t in trainings] == [
        "procedural",
        "procedural_large",
        "procedural_borders",
        "procedural_refine",
        "procedural_refine_settle",
    ]
    for training in trainings:
        assert training["hours"] > 0
        assert training["config"]["seed"] in (0, 1, 2)
        assert training["command"].startswith(f"experiment={training['config']['name']} ")
    for made in card["trainings"]:
        assert len(made["git"]["commit"]) == 40
        assert not made["git"]["dirty"]
        assert made["hardware"]["cpu"]


def test_the_blend_says_what_of(card):
    (blend,) = (t for t in card["trainings"] if "blend_of" in t)
    assert card["trainings"].index(blend) == 4  # between the refiner's two trainings
    assert blend["config"]["share"] == 0.5
    assert all(len(sha256) == 64 for sha256 in blend["blend_of"].values())


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
