"""Matting metrics that equal the originals, the trivial mattes to beat, and their report."""

from bgm.metrics.difference_keys import DifferenceKey, TunedKey, all_zero, tune_keys
from bgm.metrics.metric import METRICS, Metric, MetricInput, mode_of, scale_label
from bgm.metrics.protocols import PROTOCOLS, Protocol, metrics_of, score
from bgm.metrics.scores import Interval, Scores, interval, paired
from bgm.trimap import trimap_of

__all__ = ["METRICS", "PROTOCOLS", "DifferenceKey", "Interval", "Metric", "MetricInput", "Protocol"]
__all__ += ["Scores", "TunedKey", "all_zero", "interval", "metrics_of", "mode_of", "paired"]
__all__ += ["scale_label", "score", "trimap_of", "tune_keys"]
