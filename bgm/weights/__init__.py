"""Checkpoint formats in, networks out."""

from bgm.weights.blending import blended
from bgm.weights.build import build, from_bgmv2, load, network_of
from bgm.weights.formats import read_own, read_weights, safetensors_path, write_safetensors
from bgm.weights.initialise import Report, initialise
from bgm.weights.shipped import located

__all__ = [
    "Report",
    "blended",
    "build",
    "from_bgmv2",
    "initialise",
    "load",
    "located",
    "network_of",
    "read_own",
    "read_weights",
    "safetensors_path",
    "write_safetensors",
]
