"""Scoring that was killed goes on; as many at a time as threads; one scene in memory."""

import contextlib
import threading
import weakref

import numpy as np
import pytest

from bgm.data import Scenes
from bgm.eval import scoring
from bgm.eval.cases import ComputedCases, StoredCases
from bgm.eval.evaluate import score_baselines
from bgm.eval.scoring import Rules, keep_partial_scores, score_cases
from bgm.eval.stored_pictures import Predictions, Trimaps
from bgm.metrics import tune_keys
from bgm.pictures import to_uint8
from bgm.run_info import cores
from tests.eval.scenes import NAMES, evaluate, row


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
