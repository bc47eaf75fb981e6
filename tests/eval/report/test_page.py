"""The page holds what was scored, compares pair by pair, and asks no network for anything."""

import base64
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from bgm.cli import report
from bgm.errors import BadInput
from bgm.eval.report import page, read_run
from bgm.eval.report.page import number
from bgm.eval.report.runs import published, read_rows
from bgm.metrics import Scores, paired
from bgm.pictures import write_png
from tests.eval.scenes import write
from tests.test_line import script

NAMES = [f"{i:02d}" for i in range(6)]


class Reader(HTMLParser):
    """Collects texts, images and everything that a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts, self.images, self.fetched, self.classes = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.classes.append((tag, found.get("class")))
        if tag == "img":
            self.images.append(found["src"])
        self.fetched += [v for k, v in attributes if k in ("src", "href", "xlink:href", "data")]
        assert tag not in ("script", "link", "iframe", "object", "embed")

    def handle_data(self, data):
        self.texts.append(data.strip())


def scores_file(path, seed=0, protocol="frame", metrics=("mad", "mse", "grad"), names=NAMES):
    rng = np.random.default_rng(seed)
    scores = Scores(protocol)
    for i, name in enumerate(names):
        scores.add(name, {m: 10.0 * (i + 1) + rng.normal() + seed for m in metrics})
    scores.facts = {"model": f"<{seed}>.ckpt", "data": "toy", "quantise": "round"}
    scores.write_json(path)
    return scores


def read(path, **more):
    content = json.loads(path.read_text()) | more
    path.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """eval.py with report=, on a folder of predictions."""
    place = tmp_path_factory.mktemp("report, 1")
    write(place, NAMES)
    data = ["data=scenes", f"data_root={place / 'scenes'}", f"pred={place / 'pred'}"]
    report = place / "new" / "scores.html"
    args = [
        f"out={place / 'scores'}",
        f"report={report}",
        "protocol=bgmv2",
        "scale=table",
        "examples=2",
    ]
    assert script("eval", *data, *args, "baselines=true") == 0
    return place, report.read_text()


def test_nothing_is_fetched(evaluated):
    _, text = evaluated
    found = Reader(text)
    assert found.fetched
    assert all(x.startswith(("data:", "#")) for x in found.fetched), found.fetched
    for word in ("url(http", "@import", 'xmlns="http'):
        assert word not in text


def test_numbers_pictures_and_files_are_in_it(evaluated):
    place, text = evaluated
    found = Reader(text)
    scores = json.loads((place / "scores.json").read_text())
    for metric, value in scores["mean"].items():
        assert metric in found.texts
        assert number(value) in found.texts
    for metric, bounds in scores["interval"].items():
        shown = f"{number(bounds['low'])} to {number(bounds['high'])}"
        assert shown in found.texts, metric
    assert sum(kind == ("tr", "published") for kind in found.classes) == 5
    assert "published" in found.texts
    assert len(found.images) == 2 * 2 * 5  # the two worst and best, five kinds
    zero = scores["baselines"]["all_zero"]["mean"]["mse"]
    assert zero > scores["mean"]["mse"] > 1  # both on the scale of tables
    names = [e["name"] for e in scores["examples"]]
    assert names[0] == max(scores["pictures"], key=lambda row: row["mse"])["name"]
    assert names[2] == min(scores["pictures"], key=lambda row: row["mse"])["name"]
    for word in ("hard_closing", "PhotoMatte85", "made of the truth", "opencv"):
        assert any(word in x for x in found.texts), word
    files = [x for x in found.fetched if x.startswith(("data:text/csv", "data:application/json"))]
    csv, whole = (base64.b64decode(x.partition(",")[2]).decode() for x in files)
    assert csv.count("\n") == 7
    assert json.loads(whole) == scores
    assert len(text) < 3_000_000


def test_published_rows_are_on_the_scale_of_the_run():
    native = {"mse": 1.0, "sad": 1e-3, "grad": 1.0, "conn": 1.0, "fg_mse": 1.0}
    row, values = published("bgmv2", native)[0]
    assert row.values["mse"] == 12.01
    assert values == pytest.approx(row.values | {"mse": 0.01201, "fg_mse": 0.00531})
    assert published("bgmv2", native | {"mse": 1e3})[0][1]["mse"] == pytest.approx(12.01)
    assert [r.network for r, _ in published("frame", {"mad": 1e3})] == ["MobileNetV2"]
    assert len(read_rows()) == 6


def test_two_runs_are_compared_picture_by_picture(tmp_path):
    one = scores_file(tmp_path / "one.json")
    two = scores_file(tmp_path / "two.json", seed=5)
    write_page(tmp_path, "one.json", "two.json")
    text = (tmp_path / "x.html").read_text()
    found = Reader(text)
    by_name = [{n: row["mad"] for n, row in s.rows.items()} for s in (one, two)]
    difference = paired(*by_name)
    assert f"+{number(difference.mean)}" in found.texts
    assert ("span", "worse") in found.classes
    assert "two − one" in found.texts
    assert "<0>.ckpt" in found.texts  # escaped, and read back
    runs = [read_run(tmp_path / f"{n}.json") for n in ("one", "two")]
    assert page(runs) == page(runs)


def write_page(place, *files):
    report.main([*(str(place / f) for f in files), f"out={place / 'x.html'}"])


def test_curves_are_drawn(tmp_path):
    scores_file(tmp_path / "one.json")
    points = [{"level": x, "mad": 5 + x, "grad": 1.0, "mse": None} for x in (4, 0, 2)]
    (tmp_path / "one-robustness.json").write_text(json.dumps({"plate_blur": points}))
    run = read_run(tmp_path / "one.json")
    assert [p["level"] for p in run.curves["plate_blur"]] == [0, 2, 4]
    text = page([run])
    assert "Robustness: plate blur" in text
    assert text.count("<svg") == 1 + 2  # mse has no value at any level
    (tmp_path / "one-robustness.json").write_text('{"noise": [1]}')
    with pytest.raises(BadInput, match=r"one-robustness\.json holds no curves"):
        read_run(tmp_path / "one.json")


def test_pictures_that_are_far_too_large_are_left_out(tmp_path):
    scores_file(tmp_path / "one.json")
    read(
        tmp_path / "one.json",
        examples=[{"name": "a", "rank": "worst-1", "metric": "mad", "value": 1.0}],
    )
    noise = torch.randint(0, 256, (3, 500, 500), dtype=torch.uint8)
    write_png(tmp_path / "one-pictures" / "worst-1-src.png", noise)
    write_png(tmp_path / "one-pictures" / "worst-1-bgr.png", noise[:, :9, :9])
    run = read_run(tmp_path / "one.json")
    assert list(run.pictures["worst-1"]) == ["bgr"]
    assert len(Reader(page([run])).images) == 1


def test_bad_input_is_named(tmp_path):
    scores_file(tmp_path / "one.json")
    scores_file(tmp_path / "rvm.json", protocol="rvm")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("[1]")
    for files, why in (
        (["absent.json"], r"cannot read .*absent\.json"),
        (["broken.json"], "is no JSON"),
        (["other.json"], "holds no scores"),
        (["one.json", "rvm.json"], "cannot be compared"),
    ):
        with pytest.raises(BadInput, match=why):
            write_page(tmp_path, *files)
    assert not (tmp_path / "x.html").exists()
    one = str(tmp_path / "one.json")
    before = Path(one).read_text()
    with pytest.raises(BadInput, match=r"would take the place of the scores .*one\.json"):
        report.main([one, f"out={one}"])
    assert Path(one).read_text() == before
    for args in ([], ["out=x"], [one]):
        with pytest.raises(BadInput, match=r"bgm report takes SCORES\.json"):
            report.main(args)


def test_thousands_of_pictures_stay_readable(tmp_path):
    names = [f"clip{i // 400}/{i:05d}" for i in range(1200)]
    scores_file(tmp_path / "one.json", names=names)
    text = page([read_run(tmp_path / "one.json")])
    assert "whole clips are drawn, 3 of them" in text
    assert text.count("<tr><td>clip") == 500
    assert len(text) < 1_000_000
