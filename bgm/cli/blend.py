"""bgm blend before=FILE after=FILE out=FILE.safetensors: a network between two."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from bgm.console import say
from bgm.export import provenance
from bgm.files import check_other_file
from bgm.run_info import describe_run
from bgm.weights import blend_weights, read_own, safetensors_path, write_safetensors

NOT_DEPLOYED = ("_target_", "training_pixels")  # of a selection: other values, the same patches


def main(cfg: DictConfig) -> None:
    """Write what `bgm.weights.blend_weights` makes of two checkpoints of ours, in float32.

    Its card has the checkpoints' hashes; their own run cards stay in them (`bgm release before=`).
    """
    out = safetensors_path(cfg.out)
    check_other_file(out, before=cfg.before, after=cfg.after)
    before, after = read_own(cfg.before), read_own(cfg.after)
    share: Any = OmegaConf.to_container(cfg).get("share")  # type: ignore[union-attr]
    state = blend_weights(before, after, share)
    hashes = {name: provenance(cfg[name])["checkpoint_sha256"] for name in ("before", "after")}
    card = describe_run(cfg) | {"blend_of": hashes}
    write_safetensors(out, state, after.network, {"bgm_card": card})
    say(f"{out}: {share} of the way from {cfg.before} to {cfg.after}")
    if differing := other_selection(before.network, after.network):
        say(f"{out} {differing}: compare it at one setting, bgm release sample_pixels= stores it")


def other_selection(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What to say when two networks refine other patches, as a training on small pictures does."""
    old, new = ((network.get("refiner") or {}).get("select") for network in (before, after))
    if not old or not new:
        return ""
    old, new = (
        " ".join(f"{key}={value}" for key, value in select.items() if key not in NOT_DEPLOYED)
        for select in (old, new)
    )
    if old == new:
        return ""
    return f"refines with the settings of after ({new}), before has others ({old})"
