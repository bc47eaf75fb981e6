"""Plans and streams: the same from the same seed, and one component never moves another."""

import numpy as np
import pytest
import yaml

from bgm.paths import conf_dir
from bgm.render.plan import Stream, plan


@pytest.fixture
def ranges():
    with open(f"{conf_dir()}/ranges/rendered.yaml") as file:
        return yaml.safe_load(file)


def test_a_stream_depends_on_seed_picture_and_name_alone():
    first = Stream(1, 2, "hair").rng.random(4)
    Stream(1, 2, "clothes").rng.random(1000)
    assert np.array_equal(Stream(1, 2, "hair").rng.random(4), first)
    for other in (Stream(2, 2, "hair"), Stream(1, 3, "hair"), Stream(1, 2, "clothes")):
        assert not np.array_equal(other.rng.random(4), first)


def test_a_part_has_a_stream_of_its_own():
    draw = Stream(1, 2, "clothes")
    part = draw.of("cloth").rng.random()
    draw.uniform((0, 1))
    assert draw.of("cloth").rng.random() == part


def test_choices_follow_their_weights():
    draw = Stream(0, 0, "choice")
    drawn = [draw.choose({"often": 9, "never": 0, "seldom": 1}) for _ in range(400)]
    assert "never" not in drawn
    assert drawn.count("often") > drawn.count("seldom") > 0


def test_plans_repeat_and_differ(ranges):
    plans = [plan(5, i, ranges, {}) for i in range(60)]
    assert plans == [plan(5, i, ranges, {}) for i in range(60)]
    assert plans != [plan(6, i, ranges, {}) for i in range(60)]
    assert {p["shot"] for p in plans} == set(ranges["shots"])
    assert {"person", "pair"} <= {p["kind"] for p in plans}
    for one in plans:
        assert len(one["people"]) == {"person": 1, "pair": 2}.get(one["kind"], 0)


@pytest.mark.parametrize("forced", [{"shot": "head"}, {"sex": "male"}, {"held": "cup"}])
def test_an_override_skips_no_draw(ranges, forced):
    """What is not forced is what it would have been."""
    for index in range(30):
        free, other = plan(3, index, ranges, {}), plan(3, index, ranges, forced)
        if "shot" in forced:
            assert other == {**free, **forced}
            continue
        for mine, theirs in zip(free["people"], other["people"], strict=True):
            same = {k: v for k, v in mine.items() if k not in (*forced, "pose")}
            assert {k: theirs[k] for k in same} == same
            assert theirs[next(iter(forced))] == next(iter(forced.values()))


def test_hands_that_hold_something_have_a_pose_for_it(ranges):
    for index in range(200):
        for person in plan(8, index, ranges, {})["people"]:
            if person["held"] != "nothing":
                assert person["pose"] in ("hold", "phone", "umbrella", "carry")
