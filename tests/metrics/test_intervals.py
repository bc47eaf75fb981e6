"""Bootstrap intervals and paired differences of means over pictures."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgm.metrics import interval, paired


def named(values) -> dict[str, float]:
    return {f"{i:04d}": float(v) for i, v in enumerate(values)}


def test_interval_is_about_two_standard_errors() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = interval(named(values))
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert (found.number, found.groups) == (400, 400)
    assert interval(named(values)) == found


def test_frames_of_a_clip_are_drawn_together() -> None:
    clips = {f"clip{c}/{i:02d}": float(c) for c in range(5) for i in range(40)}
    found, single = interval(clips), interval(named(clips.values()))
    assert (found.number, found.groups) == (200, 5)
    assert found.mean == single.mean == 2
    assert found.high - found.low > 4 * (single.high - single.low)


@given(st.lists(st.floats(-100, 100) | st.just(math.nan), max_size=12))
@settings(max_examples=30, deadline=None)
def test_interval_holds_the_mean_and_nan_is_left_out(values) -> None:
    found = interval(named(values))
    kept = [v for v in values if not math.isnan(v)]
    assert found.number == len(kept)
    if len(kept) > 1:
        assert min(kept) - 1e-9 <= found.low <= found.high <= max(kept) + 1e-9
    else:
        assert math.isnan(found.low)
        assert math.isnan(found.mean) or found.mean == kept[0]


def test_pairs_are_compared_picture_by_picture() -> None:
    rng = np.random.default_rng(1)
    hard = rng.uniform(0, 100, 50)  # pictures differ far more than the two runs
    one, other = named(hard), named(hard + 1 + rng.normal(0, 0.1, 50))
    found = paired(one, other | {"more": 7.0})
    assert found.number == 50
    assert 0.9 < found.low < found.mean < found.high < 1.1
    assert paired(other, one).mean == pytest.approx(-found.mean)
    assert math.isnan(paired(one, {}).mean)
