"""Checkpoint formats in, networks out."""

from bgm.weights.build import (
    LoadReport,
    build,
    check_targets,
    from_bgmv2,
    load,
    match_keys,
    network_of,
)
from bgm.weights.formats import read_own, read_weights, safetensors_path, write_safetensors
from bgm.weights.hub import from_pretrained, push_to_hub, save_pretrained
from bgm.weights.initialise import blend_weights, initialise
from bgm.weights.named_files import weights_file

__all__ = ["LoadReport", "blend_weights", "build", "check_targets", "from_bgmv2"]
__all__ += ["from_pretrained", "initialise", "load", "match_keys", "network_of", "push_to_hub"]
__all__ += ["read_own", "read_weights", "safetensors_path", "save_pretrained", "weights_file"]
__all__ += ["write_safetensors"]
