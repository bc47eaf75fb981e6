"""bgm show FILE: what a checkpoint or an exported file is."""

import json
from pathlib import Path

from omegaconf import OmegaConf
from rich.markup import escape
from rich.table import Table

from bgm.console import say
from bgm.errors import BadInput
from bgm.infer.models import EXPORTED
from bgm.weights import read_weights


def main(args: list[str]) -> None:
    """Print a table of what the file says about itself."""
    if len(args) != 1:
        raise BadInput(f"bgm show takes one file, found {len(args)} arguments")
    table = Table(show_header=False, title=args[0])
    for name, value in facts(Path(args[0])).items():
        table.add_row(name, escape(value))
    say(table)


def facts(path: Path) -> dict[str, str]:
    """Name and value of everything that a model file says about itself."""
    if opened := EXPORTED.get(path.suffix.lower()):
        return opened(path).metadata
    stored = read_weights(path)
    floats = [v for k, v in stored.state.items() if v.is_floating_point() and "running_" not in k]
    found = {
        "kind": stored.kind,
        "parameters": f"{sum(v.numel() for v in floats):,}",
        "precision": ", ".join(sorted({str(v.dtype).removeprefix("torch.") for v in floats})),
    }
    if stored.network:
        found["network"] = json.dumps(stored.network, indent=1)
    card = dict(stored.card)
    run = card.pop("bgm_card", {})
    return found | {name: spelt(value) for name, value in (card | run).items()}


def spelt(value: object) -> str:
    """A value of a card as YAML: one line for each number, nested ones indented."""
    if not isinstance(value, dict | list):
        return str(value)
    return OmegaConf.to_yaml(OmegaConf.create(value)).rstrip() if value else "-"
