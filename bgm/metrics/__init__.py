"""Matting metrics that equal the originals, the trivial mattes to beat, and their report."""

from bgm.metrics.difference_keys import (
    DifferenceKey,
    Found,
    all_zero,
    best_key,
    best_threshold,
    difference_key,
)
from bgm.metrics.functional import Dtssd, dtssd
from bgm.metrics.intervals import Interval, interval, paired
from bgm.metrics.protocols import PROTOCOLS, Protocol, scale_label, scales, score
from bgm.metrics.scores import Scores
from bgm.trimap import trimap_of

__all__ = [
    "PROTOCOLS",
    "DifferenceKey",
    "Dtssd",
    "Found",
    "Interval",
    "Protocol",
    "Scores",
    "all_zero",
    "best_key",
    "best_threshold",
    "difference_key",
    "dtssd",
    "interval",
    "paired",
    "scale_label",
    "scales",
    "score",
    "trimap_of",
]
