"""What is collected is what is written, whole or not at all."""

import csv
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from bgm.errors import BadInput
from bgm.metrics import Scores


@pytest.fixture
def scores() -> Scores:
    found = Scores("frame")
    found.add("a/one", {"mad": 10.0, "mse": 1.0, "conn": 0.1})
    found.add("[b] two", {"mad": 20.0, "mse": 3.0, "conn": math.nan, "fgr_mad": 7.0})
    found.add("three, four", {"mad": 60.0, "mse": 2.0, "conn": 0.3})
    return found


def test_mean_and_median_leave_out_what_is_missing(scores: Scores) -> None:
    assert scores.mean() == pytest.approx({"mad": 30, "mse": 2, "conn": 0.2, "fgr_mad": 7})
    assert scores.median() == pytest.approx({"mad": 20, "mse": 2, "conn": 0.2, "fgr_mad": 7})


def test_json(scores: Scores, tmp_path: Path) -> None:
    scores.write_json(tmp_path / "new" / "scores.json")
    found = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert found["protocol"] == "frame"
    assert found["scales"] == {"mad": 1e3, "mse": 1e3, "conn": 1e-3, "fgr_mad": 1e3}
    assert found["count"] == {"mad": 3, "mse": 3, "conn": 2, "fgr_mad": 1}
    assert found["pictures"][1] == {
        **{"name": "[b] two", "mad": 20.0, "mse": 3.0, "conn": None, "fgr_mad": 7.0}
    }
    assert found["mean"]["mad"] == 30
    assert found["units"]["conn"] == "px"
    assert found["higher_is_better"] == []
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["scores.json"]


def test_csv(scores: Scores, tmp_path: Path) -> None:
    scores.write_csv(tmp_path / "scores.csv")
    with open(tmp_path / "scores.csv", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["a/one", "[b] two", "three, four", "(mean)", "(median)", "(scale)"]
    assert rows["[b] two"] == {
        **{"name": "[b] two", "mad": "20.0", "mse": "3.0", "conn": "nan", "fgr_mad": "7.0"}
    }
    assert rows["a/one"]["fgr_mad"] == ""
    assert rows["(scale)"]["mad"] == "1000.0"


def test_table_shows_scales_and_names_as_they_are(scores: Scores) -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(scores.table())
    text = capture.get()
    for word in ("mad x1e3", "conn /1000", "[b] two", "mean", "median", "60"):
        assert word in text


def test_refusals(scores: Scores, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a/one has been scored"):
        scores.add("a/one", {})
    with pytest.raises(BadInput, match="fg_mse of x is not in protocol frame"):
        scores.add("x", {"fg_mse": 1.0})
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot write"):
        scores.write_csv(tmp_path / "file" / "scores.csv")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(BadInput, match=r"cannot write .*folder\.json"):
        scores.write_json(tmp_path / "folder.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.json"]
