"""Curves of scores: one row a level, the neutral one scored once, files that other code reads."""

import csv
import json

import numpy as np
import pytest
import torch

from bgm.data.scenes import Scenes, write_scenes
from bgm.errors import BadInput
from bgm.eval.robustness import (
    PERTURBATIONS,
    PerturbedScenes,
    perturbation_names,
    score_curves,
    show_curves,
    write_curves,
)
from bgm.eval.scoring import keep_partial_scores
from bgm.ops import composite
from bgm.types import Batch


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    made = []
    for _ in range(2):
        fgr, bgr = torch.rand(2, 3, 24, 32, generator=generator)
        pha = torch.zeros(1, 24, 32)
        pha[:, 6:18, 8:24] = 1
        made.append(Batch(composite(fgr, pha, bgr), bgr, pha, fgr, torch.tensor(True)))
    root = tmp_path_factory.mktemp("scenes") / "v"
    write_scenes(root, made, ["a", "b"])
    return Scenes(root)


class Key:
    """A matte by difference; counts how often it is asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, scene):
        self.calls += 1
        difference = (scene.src - scene.bgr).abs().amax(0)
        return ((difference > 0.02) * np.uint8(255)).numpy().astype(np.uint8), None


def test_every_level_is_scored_the_neutral_one_once(scenes):
    key = Key()
    curves = score_curves(scenes, key, list(PERTURBATIONS))
    assert list(curves) == list(PERTURBATIONS)
    for name, rows in curves.items():
        assert [row["level"] for row in rows] == list(PERTURBATIONS[name].levels)
        assert set(rows[0]) == {"level", "mad", "mse", "sad", "grad", "conn"}
    levels = sum(len(curve.levels) for curve in PERTURBATIONS.values())
    neutral = sum(curve.neutral is not None for curve in PERTURBATIONS.values())
    assert key.calls == 2 * (levels - neutral + 1)
    at = {name: {row["level"]: row["mad"] for row in rows} for name, rows in curves.items()}
    assert at["blur"][0] == at["noise"][0] == at["exposure"][1] < 20
    assert at["misalignment"][4] > 3 * at["misalignment"][0]
    assert at["exposure"][1.4] > 3 * at["exposure"][1]


def test_killed_curves_go_on_where_they_were(scenes, tmp_path):
    whole = score_curves(scenes, Key(), ["blur", "jpeg"])

    class Killed(Key):
        def __call__(self, scene):
            if self.calls >= 4:
                raise KeyboardInterrupt
            return super().__call__(scene)

    path = tmp_path / "levels.jsonl"
    with pytest.raises(KeyboardInterrupt), keep_partial_scores(path, "k") as partial:
        score_curves(scenes, Killed(), ["blur", "jpeg"], partial=partial)
    key = Key()
    with keep_partial_scores(path, "k") as partial:
        assert len(partial.entries) == 2  # two scenes a level, killed in the third
        resumed = score_curves(scenes, key, ["blur", "jpeg"], partial=partial)
    assert resumed == whole
    assert key.calls == 2 * (6 + 7 - 2)
    assert not path.exists()


def test_files(scenes, tmp_path, capsys):
    curves = score_curves(scenes, Key(), ["blur", "jpeg"])
    curves["jpeg"][1]["conn"] = float("nan")
    table, text = write_curves(curves, tmp_path / "x" / "out")
    assert [p.name for p in (table, text)] == ["out-robustness.csv", "out-robustness.json"]
    found = json.loads(text.read_text())
    assert found["blur"] == curves["blur"]
    assert found["jpeg"][1]["conn"] is None
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 6 + 7
    assert rows[0]["curve"] == "blur"
    assert float(rows[2]["mad"]) == curves["blur"][2]["mad"]
    assert rows[7]["conn"] == ""
    show_curves(curves)
    assert "blur (pixels)" in capsys.readouterr().out
    table.with_name("other-robustness.csv").write_text("day,level\n")
    assert write_curves({}, tmp_path / "x" / "other") == write_curves({}, tmp_path / "x" / "out")
    assert [p.name for p in table.parent.iterdir()] == ["other-robustness.csv"]  # not ours: stays
    assert write_curves({}, tmp_path / "none") == []
    assert not list(tmp_path.glob("none*"))


def test_names(scenes):
    assert perturbation_names("all") == list(PERTURBATIONS)
    assert perturbation_names("blur") == ["blur"]
    assert perturbation_names(["noise", "jpeg"]) == ["noise", "jpeg"]
    assert perturbation_names(None) == []
    assert score_curves(scenes, Key(), []) == {}
    with pytest.raises(BadInput, match="robustness=rain is unknown, expected all or some of mis"):
        perturbation_names(["blur", "rain"])


def test_a_scene_keeps_its_seed_at_all_levels(scenes):
    curve = PERTURBATIONS["misalignment"]
    for index in range(2):
        found = PerturbedScenes(scenes, curve, 2, seed=5)[index]
        assert torch.equal(found.bgr, curve.apply(scenes[index], 2, 5 + index).bgr)
    assert len(PerturbedScenes(scenes, curve, 2)) == 2
