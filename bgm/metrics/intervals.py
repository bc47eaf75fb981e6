"""Bootstrap intervals: how far a mean over pictures would move with other pictures."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95
_CHUNK = 1 << 22  # drawn indices held at a time


class Interval(NamedTuple):
    """A mean and its bootstrap interval; low and high are NaN for fewer than two groups."""

    mean: float
    low: float
    high: float
    number: int  # of pictures
    groups: int  # of what was drawn: clips, or single pictures


def interval(values: Mapping[str, float], seed: int = 0) -> Interval:
    """95 % percentile bootstrap of the mean of values, by name of the picture.

    Frames of a clip are alike: where pictures lie in folders ("clip7/0001"), whole folders are
    drawn, and the mean of a draw is over all of its pictures. NaN values are left out. The same
    values give the same interval. Source: Efron and Tibshirani 1993, chapter 13.
    """
    kept = {name: value for name, value in values.items() if not math.isnan(value)}
    groups: dict[str, list[float]] = {}
    for name, value in kept.items():
        groups.setdefault(name.rpartition("/")[0] or name, []).append(value)
    sums, counts = (np.array([f(g) for g in groups.values()]) for f in (math.fsum, len))
    number, n = len(kept), len(groups)
    mean = math.fsum(kept.values()) / number if number else math.nan
    if n < 2:
        return Interval(mean, math.nan, math.nan, number, n)
    means = _resampled(sums, counts, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean, float(low), float(high), number, n)


def paired(values: Mapping[str, float], others: Mapping[str, float], seed: int = 0) -> Interval:
    """The interval of the mean of others - values, over the pictures that both have."""
    common = {name: others[name] - values[name] for name in values if name in others}
    return interval(common, seed)


def _resampled(
    sums: NDArray[np.float64], counts: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    n, rows = len(sums), max(1, _CHUNK // len(sums))
    means = []
    for start in range(0, RESAMPLES, rows):
        drawn = rng.integers(0, n, (min(rows, RESAMPLES - start), n))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return np.concatenate(means)
