"""bgm blend before=FILE after=FILE out=FILE.safetensors: a network between two."""

from pathlib import Path

from omegaconf import DictConfig

from bgm.cli.card import about
from bgm.cli.launch import say
from bgm.errors import BadInput
from bgm.export import card
from bgm.weights import read_weights, write_safetensors
from bgm.weights.blend import blended

SUFFIX = ".safetensors"


def main(cfg: DictConfig) -> None:
    """Write what `bgm.weights.blend.blended` makes of two checkpoints of ours, in float32.

    Its card has the checkpoints' hashes; their own run cards stay in them (`bgm release before=`).
    """
    out = Path(cfg.out)
    if out.suffix != SUFFIX:
        raise BadInput(f"{out} ends in {out.suffix or 'nothing'}, expected {SUFFIX}")
    before, after = (read_weights(path) for path in (cfg.before, cfg.after))
    for path, stored in ((cfg.before, before), (cfg.after, after)):
        if stored.network is None:
            raise BadInput(f"{path} holds {stored.kind} weights, expected a network trained here")
    state = blended(before, after, cfg.share)
    of = {name: card(cfg[name])["checkpoint_sha256"] for name in ("before", "after")}
    write_safetensors(out, state, after.network, {"bgm_card": about(cfg) | {"blend_of": of}})
    say(f"{out}: {cfg.share:g} of the way from {cfg.before} to {cfg.after}")
