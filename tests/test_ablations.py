"""The ablations' switches reach the recipe, and their file survives a kill."""

import json

import pytest
from hydra.utils import instantiate

from benchmarks import ablations, switches


def composed(words, folder):
    return ablations.composed([*switches.PROCEDURAL, *words], str(folder))


@pytest.mark.slow
def test_every_switch_makes_another_recipe(tmp_path):
    made = {}
    for name, words in switches.SWITCHES.items():
        cfg = composed(words, tmp_path)
        made[name] = ablations.made_by(cfg)
        assert instantiate(cfg.data.train.dataset).size == (128, 128)
    assert len(set(made.values())) == len(made)
    assert made["full"] == ablations.made_by(composed([], tmp_path / "elsewhere"))


def test_a_switch_sets_what_it_names(tmp_path):
    cfg = composed(switches.SWITCHES["+ all of these"], tmp_path)
    augment = instantiate(cfg.augment)
    assert all(augment.ingredients[name].p > 0 for name in switches.NEW)
    assert augment.size == 128
    assert augment.ingredients["noise"].p == 0.9  # the rest is the recipe's
    assert instantiate(cfg.data.train.dataset).ranges.motion > 0
    one = instantiate(composed(switches.SWITCHES["+ cast"], tmp_path).augment)
    assert [one.ingredients[name].p > 0 for name in switches.NEW] == [False, False, False, True]
    plain = composed(switches.SWITCHES["- textures"], tmp_path)
    drawn = instantiate(plain.data.train.dataset).ranges
    assert drawn.smooth > 0
    assert drawn.stripes == drawn.leaves == 0


def line(name: str, seed: int, mad: float) -> dict:
    about = {"steps": 1, "scenes": "x"}
    return {"name": name, "seed": seed, "mad": mad, "grad": mad / 2, "count": 3, "about": about}


def test_the_table_compares_equal_seeds():
    lines = [line("full", 0, 20.0), line("full", 1, 22.0), line("- hair", 1, 25.0)]
    text = ablations.table(lines)
    assert "| full | 2 | 21.00 |  |  | 10.50 |  |" in text
    assert "| - hair | 1 | 25.00 | +3.00 | +3.00 | 12.50 | +1.50 |" in text
    assert "differ by 1.41" in text


def test_half_a_line_is_no_run(tmp_path):
    out = tmp_path / "a.jsonl"
    assert ablations.finished(out) == []
    ablations.append(out, {"n": 1})
    with open(out, "a") as file:
        file.write('{"n": 2, "ma')
    assert ablations.finished(out) == [{"n": 1}]
    ablations.append(out, {"n": 3})
    assert ablations.finished(out) == [{"n": 1}, {"n": 3}]
    assert json.loads(out.read_text().splitlines()[-1]) == {"n": 3}


def test_a_switch_of_the_refine_recipe_sets_what_it_names(tmp_path):
    paths = ["backgrounds=places", "people=people"]
    for name in ("- photographs", "+ shadows", "+ re-composite"):
        words = switches.OF_REFINE[name]
        cfg = ablations.composed([*ablations.REFINE, *paths, *words], str(tmp_path))
        assert (cfg.data.train.texture == 0) == ("photographs" in name), name
        assert (cfg.augment.shadow.p == 0.3) == (name == "+ shadows")
        assert (cfg.loss.com_plate == 1) == (name == "+ re-composite")
