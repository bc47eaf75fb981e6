"""Scoring a folder of predictions: protocols' folder rules, formats, refusals, resuming."""

import contextlib
import json
import shutil
import threading
import weakref

import cv2
import numpy as np
import pytest
import torch

from bgm.data import Scenes
from bgm.errors import BadInput
from bgm.eval import scoring
from bgm.eval.baselines import score_baselines
from bgm.eval.cases import ComputedCases, StoredCases, quantise
from bgm.eval.scoring import Rules, keep_partial_scores, score_cases
from bgm.eval.stored_pictures import Predictions, Trimaps, read_matte
from bgm.metrics import score, trimap_of, tune_keys
from bgm.pictures import read_picture, to_uint8, write_png
from bgm.run_info import cores
from tests.eval.scenes import SIZE, truth, write
from tests.test_line import script

NAMES = [f"clip/{i:02d}" for i in range(8)]


@pytest.fixture
def place(tmp_path):
    write(tmp_path, NAMES)
    return tmp_path


def evaluate(place, *args):
    """eval.py on the folder; returns its exit code and, if it wrote one, the JSON."""
    out = place / "scores"
    data = ["data=scenes", f"data_root={place / 'scenes'}", f"out={out}"]
    code = script("eval", *data, *args)
    file = out.with_name("scores.json")
    return code, json.loads(file.read_text()) if file.is_file() else None


def refused(capsys, place, *args):
    assert evaluate(place, *args) == (1, None)
    said = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(said) == 1
    assert not (place / "scores.csv").exists()
    return said[0]


def gray(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


def pred_of(place, name):
    return read_picture(place / "pred" / f"{name}.png", "L")[0].numpy()


def row(name, scores):
    """A picture as the JSON has it."""
    return {"name": name} | {metric: pytest.approx(value) for metric, value in scores.items()}


def test_a_folder_is_scored_like_its_arrays(place):
    code, found = evaluate(place, f"pred={place / 'pred'}", "quantise=floor")
    assert code == 0
    for seed, (name, shown) in enumerate(zip(NAMES, found["pictures"], strict=True)):
        expected = score(pred_of(place, name), truth(seed), protocol="frame")
        assert shown == row(name, expected)
    assert (found["quantise"], found["data"], found["scenes"]) == ("floor", "scenes", 8)
    assert found["interval"]["mad"] == {"low": None, "high": None}  # all frames of one clip
    assert not list(place.glob(".scores*"))


def test_an_optimized_network_has_the_scores_of_its_checkpoint(place):
    found = []
    for optimize in ("true", "false"):
        out = f"out={place / optimize}"
        words = ["ckpt=mobilenetv2", "quantise=none", "examples=0", f"optimize={optimize}"]
        assert evaluate(place, *words, out)[0] == 0
        found.append(json.loads((place / f"{optimize}.json").read_text()))
    assert [x["optimize"] for x in found] == [True, False]
    assert found[0]["mean"] == pytest.approx(found[1]["mean"], abs=1e-5, rel=1e-5)
    assert found[0]["mean"]["mad"] != found[1]["mean"]["mad"]  # another order of additions


def test_bgmv2_crops_makes_trimaps_and_skips(place):
    write_png(place / "scenes" / "pha" / "clip" / "03.png", torch.zeros(1, *SIZE))  # nobody there
    code, found = evaluate(place, f"pred={place / 'pred'}", "protocol=bgmv2", "scale=table")
    assert code == 0
    assert [s["name"] for s in found["skipped"]] == ["clip/03"]
    assert "it holds 0" in found["skipped"][0]["why"]
    assert len(found["pictures"]) == 7
    assert found["trimaps"].startswith("made of the truth (0.06")
    trimap = trimap_of(truth(1))[:20, :28]
    pair = pred_of(place, NAMES[1])[:20, :28], truth(1)[:20, :28]
    expected = score(*pair, trimap, protocol="bgmv2", scale="table")
    assert found["pictures"][1] == row(NAMES[1], expected)
    half = np.full(SIZE, 255, np.uint8)
    half[:, :16] = 128
    for name in NAMES:
        gray(place / "scenes" / "trimap" / f"{name}.png", half)
    code, found = evaluate(place, f"pred={place / 'pred'}", "protocol=bgmv2", "scale=table")
    expected = score(*pair, half[:20, :28], protocol="bgmv2", scale="table")
    assert found["pictures"][1] == row(NAMES[1], expected)
    assert found["trimaps"] == "files"
    assert len(found["pictures"]) == 8


def test_pha_and_fgr_folders(place):
    for name in NAMES:
        (place / "tool" / "pha" / "clip").mkdir(parents=True, exist_ok=True)
        shutil.copy(place / "pred" / f"{name}.png", place / "tool" / "pha" / f"{name}.png")
        shutil.copytree(place / "scenes" / "src", place / "tool" / "fgr", dirs_exist_ok=True)
    code, found = evaluate(place, f"pred={place / 'tool'}")
    assert code == 0
    src, fgr = (read_picture(place / "scenes" / k / "clip" / "02.png") for k in ("src", "fgr"))
    expected = score(
        pred_of(place, NAMES[2]), truth(2), protocol="frame", fgr_pred=src, fgr_true=fgr
    )
    assert found["pictures"][2] == row(NAMES[2], expected)


def test_formats_of_mattes(tmp_path):
    a, file = truth(5), tmp_path / "a.png"
    colours = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    for array in (a, np.dstack([a] * 3), np.dstack([colours, a])):
        gray(file, array)
        assert np.array_equal(read_matte(file), a)
    gray(file, a.astype(np.uint16) * 200)
    assert np.array_equal(read_matte(file), a * 200.0 / 65535)
    gray(file, np.dstack([colours, a]).astype(np.uint16) * 257)
    assert np.array_equal(read_matte(file), a / 255.0)
    for array, why in (
        (colours, "is a colour picture"),
        (np.dstack([colours, a * 0 + 255]), "opaque everywhere"),
    ):
        gray(file, array)
        with pytest.raises(BadInput, match=rf"a\.png .*{why}"):
            read_matte(file)


def test_sixteen_bits_are_quantised_as_asked(place):
    for seed, name in enumerate(NAMES):
        gray(place / "pred" / f"{name}.png", truth(seed).astype(np.uint16) * 255 + 128)
    exact = (truth(0).astype(np.uint16) * 255 + 128) / 65535.0
    means = {}
    for how in ("round", "floor", "none"):
        code, found = evaluate(place, f"pred={place / 'pred'}", f"quantise={how}")
        assert (code, found["quantise"]) == (0, how)
        expected = score(quantise(exact, how, "pha"), truth(0), protocol="frame")
        assert found["pictures"][0] == row(NAMES[0], expected)
        means[how] = found["mean"]["mad"]
    assert len(set(means.values())) == 3


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_mattes_stored_as_0_and_1_are_named(place, capsys, depth):
    for seed, name in enumerate(NAMES):
        gray(place / "pred" / f"{name}.png", (truth(seed) > 127).astype(depth))
    said = refused(capsys, place, f"pred={place / 'pred'}")
    assert "holds mattes of values 0 and 1" in said
    gray(place / "pred" / f"{NAMES[0]}.png", truth(0))  # one that is right, beside frames of nobody
    assert evaluate(place, f"pred={place / 'pred'}")[0] == 0


def test_quantising_does_not_hide_what_is_not_finite():
    x = np.array([[0.0, np.nan], [np.inf, 1.0]], np.float32)
    for how in ("round", "floor", "none"):
        with pytest.raises(BadInput, match="pha holds 2 values that are NaN or infinite"):
            quantise(x, how, "pha")
    with pytest.raises(BadInput, match="quantise=x"):
        quantise(x, "x", "pha")
    levels = quantise(torch.tensor([0.0, 0.999, 1.0]), "floor", "pha")
    assert levels.tolist() == [0, 254, 255]


def test_bad_input_is_one_sentence_and_exit_code_1(place, capsys):
    pred = f"pred={place / 'pred'}"
    for name in NAMES[2:5]:
        (place / "pred" / f"{name}.png").rename(place / f"{name[-2:]}.kept")
    said = refused(capsys, place, pred)
    assert "3 of 8 scenes have no prediction" in said
    assert "clip/02, clip/03, clip/04" in said
    for name in NAMES[2:5]:
        (place / f"{name[-2:]}.kept").rename(place / "pred" / f"{name}.png")
    good = (place / "pred" / "clip" / "05.png").read_bytes()
    gray(place / "pred" / "clip" / "05.png", np.zeros((9, 31), np.uint8))
    said = refused(capsys, place, pred)
    assert "clip/05: pred (9, 31) and true (22, 31) differ" in said
    (place / "pred" / "clip" / "05.png").write_bytes(good[:50])
    assert "05.png is broken" in refused(capsys, place, pred)
    (place / "pred" / "clip" / "05.png").write_bytes(good)
    gray(place / "scenes" / "trimap" / "clip" / "00.png", np.zeros(SIZE, np.uint8))
    assert "7 of 8 scenes have no trimap" in refused(capsys, place, pred, "protocol=bgmv2")
    for name in NAMES:
        gray(place / "scenes" / "trimap" / f"{name}.png", np.zeros(SIZE, np.uint8))
    assert "all 8 pictures are skipped" in refused(capsys, place, pred, "protocol=bgmv2")
    assert "one of them, found none" in refused(capsys, place)
    assert "one of them, found both" in refused(capsys, place, pred, "ckpt=x")
    assert "absent does not exist" in refused(capsys, place, f"pred={place / 'absent'}")
    assert "protocol 'x'" in refused(capsys, place, pred, "protocol=x")
    assert "quantise=x" in refused(capsys, place, pred, "quantise=x")


def test_outputs_are_tried_before_anything_is_scored(place, capsys):
    (place / "file").write_text("")
    args = ["data=scenes", "data_root=absent", f"pred={place / 'pred'}"]
    for wrong in (f"out={place / 'file' / 'x'}", f"report={place / 'file' / 'x.html'}"):
        assert script("eval", *args, wrong) == 1
        assert "cannot write" in capsys.readouterr().err  # and not that absent is absent
    assert sorted(p.name for p in place.iterdir()) == ["file", "pred", "scenes"]


class Slow:
    """Cases that stop the run after some of them, as a kill would."""

    def __init__(self, cases, last):
        self.cases, self.names, self.last, self.asked = cases, cases.names, last, []

    def __getitem__(self, index):
        if len(self.asked) >= self.last:
            raise KeyboardInterrupt
        self.asked.append(index)
        return self.cases[index]


def test_a_killed_run_goes_on_where_it_was(place):
    scenes = Scenes(place / "scenes")
    cases = StoredCases(scenes, Predictions(place / "pred", NAMES), "round")
    whole = score_cases(cases, Rules())
    file = place / ".partial.jsonl"
    asked = []
    for last in (3, 2):
        part = Slow(cases, last)
        with pytest.raises(KeyboardInterrupt), keep_partial_scores(file, "key") as partial:
            score_cases(part, Rules(), threads=1, partial=partial)
        asked += part.asked
        assert list(partial.entries) == [NAMES[i] for i in asked]
        with file.open("a") as left:
            left.write('["clip/07", {"mad": 1')  # a line that the kill cut off
    rest = Slow(cases, 99)
    with keep_partial_scores(file, "key") as partial:
        resumed = score_cases(rest, Rules(), threads=2, partial=partial)
    assert len(asked) == 5
    assert sorted(asked + rest.asked) == list(range(8))
    assert list(resumed.rows) == NAMES
    for name in NAMES:  # cv2's last bit depends on where in memory a picture lies
        assert resumed.rows[name] == pytest.approx(whole.rows[name], rel=1e-12)
    assert not file.exists()


def test_partial_scores_of_something_else_are_not_taken(place):
    for key in ("one", "other"):
        with (
            contextlib.suppress(KeyboardInterrupt),
            keep_partial_scores(place / "j", key) as partial,
        ):
            assert partial.entries == {}
            partial.add("a", {"mad": float("nan")})
            raise KeyboardInterrupt
    with keep_partial_scores(place / "j", "other") as partial:
        assert np.isnan(partial.entries["a"]["mad"])


def test_eval_resumes_by_itself(place, monkeypatch, capsys):
    plain, calls = scoring.score_case, []

    def stops(*args):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return plain(*args)

    args = [f"pred={place / 'pred'}", "threads=1"]
    monkeypatch.setattr(scoring, "score_case", stops)
    with pytest.raises(KeyboardInterrupt):
        evaluate(place, *args)
    assert (place / ".scores.partial.jsonl").is_file()
    monkeypatch.setattr(scoring, "score_case", plain)
    _, resumed = evaluate(place, *args)
    assert "going on after 4 of 8 pictures" in capsys.readouterr().out
    assert resumed["resumed_after"] == 4
    _, whole = evaluate(place, *args)
    assert whole["resumed_after"] == 0
    for one, other in zip(whole["pictures"], resumed["pictures"], strict=True):
        assert one == row(other.pop("name"), other)


class Wide:
    """Cases that are only given out when so many are asked for at the same time."""

    names = tuple(f"{i:03d}" for i in range(12))

    def __init__(self, cases, threads):
        self.cases, self.asked = cases, threading.Barrier(threads)
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __getitem__(self, index):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.asked.wait(timeout=600)  # only where it fails
        with self.lock:
            self.now -= 1
        return self.cases[index % 8]


@pytest.mark.parametrize("threads", [1, 3])
def test_as_many_at_a_time_as_threads(place, threads):
    cases = StoredCases(Scenes(place / "scenes"), Predictions(place / "pred", NAMES), "round")
    wide = Wide(cases, threads)
    assert list(score_cases(wide, Rules(), threads=threads).rows) == list(Wide.names)
    assert wide.most == threads


def test_scenes_by_a_function_and_their_baselines(place):
    scenes = Scenes(place / "scenes")
    trimaps = Trimaps(place / "none", NAMES)
    cases = ComputedCases(scenes, lambda s: (to_uint8(s.pha[0]).numpy(), None), trimaps)
    found = score_cases(cases, Rules("bgmv2"))
    assert set(found.mean().values()) == {0.0}
    baselines = score_baselines(scenes)
    best = tune_keys([to_uint8(x).numpy() for x in s[:3]] for s in scenes)["soft"]
    assert baselines["soft"].mean()["mad"] == pytest.approx(best.mad * 1e3)


def test_baselines_hold_one_scene_at_a_time(place):
    scenes, read = Scenes(place / "scenes"), []

    class Watched:
        names = NAMES

        def __getitem__(self, index):
            scene = scenes[index]
            read.append(weakref.ref(scene.src))
            # One that is worked on a thread, one that is read, and the one before it.
            assert sum(src() is not None for src in read) <= 2 * cores() + 1
            return scene

    score_baselines(Watched())
    assert len(read) == 8 * 6
