"""bgm doctor data=... data_root=...: what is wrong with the data, before a training finds out."""

from collections.abc import Iterator
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.table import Table
from rich.text import Text

from bgm.console import say, tracked
from bgm.data.doctor.diagnosis import diagnose
from bgm.data.doctor.item_report import (
    Finding,
    ItemReport,
    ItemReports,
    Part,
    part_of,
    take_inventory,
)
from bgm.data.loaders.resumable import Loader
from bgm.errors import BadInput, check_at_least

PLACES = ("root", "fgr", "pha", "rgba", "folder")  # arguments that name folders or zips
PARTS = ("bgm.data.KeptBack",)  # sources that are a part of the one in them
COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def main(cfg: DictConfig) -> None:
    """Look at the files of a data config and print a report; exit code 1 when there are errors."""
    check_at_least("bgm doctor", 0, workers=cfg.workers)
    if cfg.limit is not None:
        check_at_least("bgm doctor", 1, limit=cfg.limit)
    inventories = [open_part(*named) for named in sources(cfg)]
    if not inventories:
        raise BadInput(f"data={cfg.data._target_} names no folders: there is nothing to look at")
    parts = [part for part, _ in inventories]
    reports = inspect(parts, cfg.limit, cfg.workers)
    findings = [f for _, found in inventories for f in found] + diagnose(parts, reports)
    say(summary(parts, reports))
    for finding in findings:
        say(describe_finding(finding))
    errors, warnings = (sum(f.level == level for f in findings) for level in ("error", "warning"))
    say(f"errors: {errors}, warnings: {warnings}" if findings else "all is well")
    if errors:
        raise SystemExit(1)


def sources(cfg: DictConfig) -> Iterator[tuple[str, str, dict]]:
    """(split, role, config) of every source of subjects, of backgrounds or of scenes in a config.

    Sources of our own are in it if they name a place, those of other packages always.
    """
    data: Any = OmegaConf.to_container(cfg.data, resolve=True)
    for split in ("train", "valid", "test"):
        node = data.get(split) or {}
        for role, config in inner_sources(node):
            yield split, role, config
        if "root" in node:
            yield split, "scenes", node


def inner_sources(node: dict) -> Iterator[tuple[str, dict]]:
    """(role, config) of the sources in a dataset's config, and in those it is made of."""
    for key, config in node.items():
        if not isinstance(config, dict):
            continue
        inside = [] if config.get("_target_") in PARTS else list(inner_sources(config))
        names_a_place = not is_own(config) or any(config.get(place) for place in PLACES)
        if key in ("subjects", "backgrounds") and not inside and names_a_place:
            yield key, config
        yield from inside


def is_own(config: dict) -> bool:
    """Whether a source is one of `bgm.data`, whose files are listed even where they do not pair."""
    target = config.get("_target_", "bgm.data.")
    return target.startswith("bgm.data.") and target not in PARTS


def open_part(split: str, role: str, config: dict) -> tuple[Part, list[Finding]]:
    """What there is to examine of a source, and what is missing or does not pair."""
    if is_own(config):
        return take_inventory(split, role, {key: config.get(key) for key in PLACES})
    return part_of(split, instantiate(config), config["_target_"]), []


def inspect(parts: list[Part], limit: int | None, workers: int) -> list[ItemReport]:
    """Reports on the parts' items, on so many processes."""
    reports = ItemReports(parts, limit)
    loader = Loader(reports, batch_size=None, num_workers=workers, collate_fn=lambda report: report)
    return list(tracked(loader, "looking", len(reports)))


def summary(parts: list[Part], reports: list[ItemReport]) -> Table:
    """One row a part: items, how many were looked at, sizes, mean alpha histogram."""
    table = Table("", "items", "looked at", "sizes", "alpha 0 / soft / 255")
    table.add_column("folder", overflow="fold")
    for number, part in enumerate(parts):
        seen = [s for s in reports if s.part == number]
        sizes = sorted({s.size for s in seen if s.thumb is not None}, key=lambda s: s[0] * s[1])
        shown = [f"{W}x{H}" for H, W in (sizes[:1] + sizes[-1:] if len(sizes) > 1 else sizes)]
        alpha = sum(s.alpha / s.alpha.sum() for s in seen if s.alpha.any())
        share = ""
        if not isinstance(alpha, int):
            alpha = alpha / alpha.sum()
            share = f"{alpha[0]:.0%} / {alpha[1:255].sum():.0%} / {alpha[255]:.0%}"
        row = [part.where, f"{len(part):,}", f"{len(seen):,}", " to ".join(shown), share]
        table.add_row(*row, part.root)
    return table


def describe_finding(finding: Finding) -> Text:
    """A finding with its examples, for the screen."""
    count = f" ({finding.count:,})" if finding.count > 1 and finding.examples else ""
    lines = [f" {finding.where}: {finding.sentence}{count}"]
    lines += [f"    {example}" for example in finding.examples]
    if finding.count > len(finding.examples) > 0:
        lines.append(f"    and {finding.count - len(finding.examples):,} more")
    return Text.assemble((finding.level, COLOURS[finding.level]), "\n".join(lines))
