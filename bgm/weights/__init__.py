"""Checkpoint formats in, networks out."""

from bgm.weights.build import build, from_bgmv2, load
from bgm.weights.formats import read_weights, write_safetensors
from bgm.weights.initialise import Report, initialise

__all__ = [
    "Report",
    "build",
    "from_bgmv2",
    "initialise",
    "load",
    "read_weights",
    "write_safetensors",
]
