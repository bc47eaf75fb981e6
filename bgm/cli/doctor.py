"""bgm doctor data=... data_root=...: what is wrong with the data, before a training finds out."""

from collections.abc import Iterator

from omegaconf import DictConfig, OmegaConf
from rich.markup import escape
from rich.table import Table
from torch.utils.data import DataLoader

from bgm.console import say, tracked
from bgm.data.doctor import Finding, Look, Looks, Part, diagnose, take_stock
from bgm.errors import BadInput

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def main(cfg: DictConfig) -> None:
    """Look at the files of a data config and print a report; exit code 1 when there are errors."""
    stock = [take_stock(*named) for named in folders(cfg)]
    if not stock:
        raise BadInput(f"data={cfg.data._target_} names no folders: there is nothing to look at")
    parts = [part for part, _ in stock]
    looks = look_at(parts, cfg.limit, cfg.workers)
    findings = [f for _, found in stock for f in found] + diagnose(parts, looks)
    say(summary(parts, looks))
    for finding in findings:
        say(told(finding))
    errors, warnings = (sum(f.level == level for f in findings) for level in ("error", "warning"))
    say(f"errors: {errors}, warnings: {warnings}" if findings else "all is well")
    if errors:
        raise SystemExit(1)


def folders(cfg: DictConfig) -> Iterator[tuple[str, str, dict]]:
    """(split, role, folders) of everything on disk that a data config names."""
    data = OmegaConf.to_container(cfg.data, resolve=True)
    for split in ("train", "valid", "test"):
        node = data.get(split) or {}
        for role in ("subjects", "backgrounds"):
            named = node.get(role) or {}
            keys = ("root", "fgr", "pha", "rgba") if role == "subjects" else ("folder",)
            if any(named.get(key) for key in keys):
                yield split, role, {key: named.get(key) for key in keys}
        if "root" in node:
            yield split, "scenes", {"root": node["root"]}


def look_at(parts: list[Part], limit: int | None, workers: int) -> list[Look]:
    """Looks at the parts' items, on so many processes."""
    looks = Looks(parts, limit)
    loader = DataLoader(looks, batch_size=None, num_workers=workers, collate_fn=lambda look: look)
    return list(tracked(loader, "looking", len(looks)))


def summary(parts: list[Part], looks: list[Look]) -> Table:
    """One row a part: items, how many were looked at, sizes, mean alpha histogram."""
    table = Table("", "items", "looked at", "sizes", "alpha 0 / soft / 255")
    table.add_column("folder", overflow="fold")
    for number, part in enumerate(parts):
        seen = [s for s in looks if s.part == number]
        sizes = sorted({s.size for s in seen if not s.broken}, key=lambda s: s[0] * s[1])
        shown = [f"{W}x{H}" for H, W in (sizes[:1] + sizes[-1:] if len(sizes) > 1 else sizes)]
        alpha = sum(s.alpha / s.alpha.sum() for s in seen if s.alpha is not None)
        share = ""
        if not isinstance(alpha, int):
            alpha = alpha / alpha.sum()
            share = f"{alpha[0]:.0%} / {alpha[1:255].sum():.0%} / {alpha[255]:.0%}"
        row = [part.where, f"{len(part):,}", f"{len(seen):,}", " to ".join(shown), share]
        table.add_row(*row, escape(part.root))
    return table


def told(finding: Finding) -> str:
    """A finding with its examples, for the screen."""
    colour = COLOURS[finding.level]
    count = f" ({finding.count:,})" if finding.count > 1 and finding.examples else ""
    lines = [
        f"[{colour}]{finding.level}[/{colour}] {finding.where}: {escape(finding.sentence)}{count}"
    ]
    lines += [f"    {escape(example)}" for example in finding.examples]
    if finding.count > len(finding.examples) > 0:
        lines.append(f"    and {finding.count - len(finding.examples):,} more")
    return "\n".join(lines)
