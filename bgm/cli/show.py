"""bgm show FILE: what a checkpoint or an exported file is."""

import json
from pathlib import Path

from omegaconf import OmegaConf
from rich.table import Table

from bgm.console import say
from bgm.errors import BadInput
from bgm.export import open_exported, target_of
from bgm.paths import conf_dir
from bgm.weights import read_weights


def main(args: list[str]) -> None:
    """Print a table of what the file says about itself."""
    if len(args) != 1:
        raise BadInput(f"bgm show takes one file, found {len(args)} arguments")
    table = Table(show_header=False, title=args[0])
    for name, value in read_facts(Path(args[0])).items():
        table.add_row(name, value)
    say(table)


def read_facts(path: Path) -> dict[str, str]:
    """Name and value of everything that a model file says about itself."""
    if target_of(path):
        exported = open_exported(path)
        select = json.loads(exported.metadata.get("select", "{}"))
        own = (float(exported.metadata.get("backbone_scale", 0)), select.get("sample_pixels"))
        files = sorted(Path(conf_dir(), "preset").glob("*.yaml"))
        presets = {file.stem: OmegaConf.load(file) for file in files}
        held = [n for n, x in presets.items() if own == (x.backbone_scale, x.sample_pixels)]
        held = [", ".join(held) or "none"]
        if {"backbone_scale", "refine_sample_pixels"} <= exported.options.keys():
            held.append("and any that is asked for")
        return exported.metadata | {"presets": " ".join(held)}
    stored = read_weights(path)
    floats = [v for k, v in stored.state.items() if v.is_floating_point() and "running_" not in k]
    facts = {
        "kind": stored.kind,
        "parameters": f"{sum(v.numel() for v in floats):,}",
        "precision": ", ".join(sorted({str(v.dtype).removeprefix("torch.") for v in floats})),
    }
    if stored.network:
        facts["network"] = json.dumps(stored.network, indent=1)
    card = dict(stored.about)
    run = card.pop("bgm_card", {})
    return facts | {name: as_yaml(value) for name, value in (card | run).items()}


def as_yaml(value: object) -> str:
    """A value of a card as YAML: one line for each number, nested ones indented."""
    if not isinstance(value, dict | list):
        return str(value)
    return OmegaConf.to_yaml(OmegaConf.create(value)).rstrip() if value else "-"
