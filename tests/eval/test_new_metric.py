"""A row added to the list of metrics is everywhere, and ranked by its own direction."""

import csv
import json
import math

import numpy as np
import pytest
import torch

from bgm.cli import report
from bgm.data import Scenes
from bgm.eval.robustness import score_curves, write_curves
from bgm.metrics import METRICS, PROTOCOLS, Metric, Protocol, Scores, mode_of, score
from bgm.metrics.training import MatteMetrics
from bgm.pictures import to_uint8
from tests.eval.report.test_page import Reader
from tests.eval.scenes import truth, write
from tests.test_line import script

NAMES = [f"{i:02d}" for i in range(4)]


def psnr(mattes):
    """Larger is better; 100 where both are equal."""
    mse = METRICS["mse"].function(mattes)
    return -10 * math.log10(mse) if mse > 0 else 100.0


@pytest.fixture
def added(monkeypatch):
    monkeypatch.setitem(METRICS, "psnr", Metric("psnr", 1.0, "dB", True, psnr))


@pytest.fixture
def place(tmp_path):
    write(tmp_path, NAMES)
    return tmp_path


def evaluate(place, out, *args):
    data = ["data=scenes", f"data_root={place / 'scenes'}", f"pred={place / 'pred'}"]
    assert script("eval", *data, f"out={place / out}", "examples=1", *args) == 0
    return json.loads((place / f"{out}.json").read_text())


def test_it_is_in_every_output_of_eval(added, place, capsys):
    found = evaluate(place, "scores", "baselines=true", f"report={place / 'x.html'}")
    mse = found["pictures"][0]["mse"] / 1e3
    assert found["pictures"][0]["psnr"] == pytest.approx(-10 * math.log10(mse))
    assert (found["units"]["psnr"], found["higher_is_better"]) == ("dB", ["psnr"])
    assert {"psnr"} <= found["mean"].keys() & found["median"].keys() & found["interval"].keys()
    assert "psnr" in found["baselines"]["all_zero"]["mean"]
    rows = list(csv.DictReader((place / "scores.csv").open()))
    assert float(rows[0]["psnr"]) == found["pictures"][0]["psnr"]
    assert capsys.readouterr().out.count("psnr dB") == 1 + len(found["baselines"])
    texts = Reader((place / "x.html").read_text()).texts
    assert texts.count("higher is better") == texts.count("psnr") > 0
    assert "dB" in texts


def test_it_is_in_curves_and_in_validation(added, place):
    scenes = Scenes(place / "scenes")
    curves = score_curves(scenes, lambda s: (to_uint8(s.src[0]).numpy(), None), ["blur"])
    assert all("psnr" in row for row in curves["blur"])
    table, _ = write_curves(curves, place / "out")
    assert "psnr" in next(csv.DictReader(table.open()))
    metrics = MatteMetrics()
    mattes = [torch.from_numpy(truth(n)) / 255 for n in (0, 1)]
    metrics.update(mattes[0][None, None], mattes[1][None, None])
    expected = score(*(to_uint8(x).numpy() for x in mattes))["psnr"]
    assert float(metrics.compute()["psnr"]) == pytest.approx(expected, rel=1e-6)


def test_more_is_better(added, place, monkeypatch):
    assert mode_of("val/psnr") == mode_of("old/psnr") == "max"
    assert mode_of("val/mad") == mode_of("val/loss") == "min"
    monkeypatch.setitem(PROTOCOLS, "decibel", Protocol("frame", "rows", 1, {"psnr": 1.0}, {}))
    found = evaluate(place, "scores", "protocol=decibel")  # the first metric ranks: it has one
    values = {row["name"]: row["psnr"] for row in found["pictures"]}
    ranks = {e["rank"]: e["name"] for e in found["examples"]}
    assert ranks["worst-1"] == min(values, key=values.get)
    assert ranks["best-1"] == max(values, key=values.get)


def test_one_over_time_is_scored_too(tmp_path, monkeypatch):
    def shift(mattes):
        return float(np.abs(mattes.pha.pred - mattes.before.pred).mean())

    monkeypatch.setitem(METRICS, "shift", Metric("shift", 1.0, "", False, shift, needs="before"))
    write(tmp_path, [f"walk/{name}" for name in NAMES])
    rows = evaluate(tmp_path, "clip")["pictures"]
    assert [row.get("shift") is not None for row in rows] == [False, True, True, True]
    assert all("dtssd" not in row for row in rows)


def test_the_report_calls_more_of_it_better(added, tmp_path):
    for run, shift in (("one", 0.0), ("two", 5.0)):
        scores = Scores("frame")
        for i, name in enumerate(NAMES):
            scores.add(name, {"mad": 1.0 + i, "psnr": 20.0 + i + shift})
        scores.write_json(tmp_path / f"{run}.json")
    files = [str(tmp_path / f"{run}.json") for run in ("one", "two")]
    report.main([*files, f"out={tmp_path / 'x.html'}"])
    found = Reader((tmp_path / "x.html").read_text())
    assert found.classes.count(("span", "better")) == 2  # the psnr's, and the note's
    assert found.classes.count(("span", "worse")) == 1  # the note's
