"""bgm render out=FOLDER count=100: people with true alpha and colour, rendered with Blender."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from bgm.console import say
from bgm.errors import BadInput
from bgm.paths import conf_dir
from bgm.render.photo_palettes import palettes
from bgm.render.rendering import (
    LOG,
    Interpreters,
    Options,
    check_interpreters,
    check_settings,
    left_out,
    missing,
    read_log,
    render,
)
from bgm.render.sheet import write_sheet
from bgm.signals import StopOnSignal

RANGES = "ranges/rendered.yaml"
ON_SHEET = 48  # the newest pictures


def main(cfg: DictConfig) -> None:
    """Render what is missing of count pictures, and a sheet of the newest beside the folder."""
    out, options = Path(cfg.out), options_of(cfg)
    interpreters = Interpreters(cfg.blender_python or "", cfg.body_python or "")
    sheet = sheet_path(out)
    if sheet.exists() and not (out / LOG).exists():
        raise BadInput(f"{sheet} is no sheet of {out}, which holds no renders: move it, or rename")
    todo = missing(out, options)
    check_settings(out, options)
    if todo:
        check_interpreters(interpreters)
    faulty = len(left_out(out, options))
    done = len(options.indices) - len(todo) - faulty
    say(f"{out}: {done:,} pictures done, {faulty:,} left out, {len(todo):,} to render")
    failed: list[int] = []

    def report(entry: dict) -> None:
        if "failed" in entry:
            failed.append(entry["index"])
            what = f"failed ({entry['failed']})"
        elif entry.get("faults"):
            what = f"left out ({'; '.join(entry['faults'])})"
        else:
            what = f"{entry['cpu_s']} CPU seconds"
        say(f"picture {entry['index']} of seed {entry['seed']}: {what}")
        if "file" in entry and entry["index"] % cfg.sheet_every == 0:
            newest_on_sheet(out)

    with StopOnSignal("the same command goes on"):
        render(out, options, interpreters, report)
    newest_on_sheet(out)
    if sheet.exists():
        say(f"look at {sheet}")
    if failed:
        shown = ", ".join(map(str, failed[:10])) + (", ..." if len(failed) > 10 else "")
        say(f"failed: {len(failed):,} pictures ({shown}); the same command tries them again")


def options_of(cfg: DictConfig) -> Options:
    """The options that a config stands for. Raises BadInput for impossible ones."""
    size = list(cfg.size) if OmegaConf.is_list(cfg.size) else [cfg.size] * 2
    if len(size) != 2 or any(not isinstance(n, int) or not 16 <= n <= 4096 for n in size):
        raise BadInput(f"size={cfg.size}: expected pixels, 16 to 4096, or [height,width]")
    if cfg.depth not in (8, 16):
        raise BadInput(f"depth={cfg.depth}: expected 8 or 16 bits a channel")
    for key in ("count", "samples", "alpha_samples", "per_process", "sheet_every"):
        if not isinstance(cfg[key], int) or cfg[key] < 1:
            raise BadInput(f"{key}={cfg[key]}: expected a whole number from 1 on")
    ranges: Any = OmegaConf.to_container(cfg.ranges, resolve=True)
    check_ranges(ranges, OmegaConf.to_container(OmegaConf.load(f"{conf_dir()}/{RANGES}")))
    if cfg.kinds is not None:
        kinds = list(cfg.kinds) if OmegaConf.is_list(cfg.kinds) else [cfg.kinds]
        if not kinds or any(kind not in ranges["kinds"] for kind in kinds):
            known = ", ".join(ranges["kinds"])
            raise BadInput(f"kinds={kinds}: expected one or more of {known}")
        ranges["kinds"] = {kind: ranges["kinds"][kind] or 1 for kind in kinds}
    same = ("seed", "depth", "samples", "alpha_samples", "per_process", "maps", "rooms")
    return Options(
        **{key: cfg[key] for key in same},
        indices=range(cfg.first, cfg.first + cfg.count),
        size=(size[0], size[1]),
        palettes=palettes(Path(cfg.palettes)) if cfg.palettes else [],
        ranges=ranges,
        forced={key: value for key, value in cfg.forced.items() if value is not None},
    )


def check_ranges(ranges: dict[str, Any], shipped: Any) -> None:
    """Raise BadInput for what is no group of weights, pair or number where the shipped one is.

    Blender would find out picture by picture, and leave every one out.
    """
    for key, like in shipped.items():
        given: Any = ranges.get(key)
        numbers = list(given.values()) if isinstance(given, dict) else given
        numbers = numbers if isinstance(numbers, list) else [numbers]
        good = all(map(is_number, numbers)) and type(given) is type(like)
        if isinstance(like, dict):
            expected = f"weights from 0 on, not all 0, of {', '.join(like)}"
            good = good and given.keys() <= like.keys() and min(numbers) >= 0 < sum(numbers)
        elif isinstance(like, list):
            expected = "[low,high]"
            good = good and len(numbers) == 2 and numbers[0] <= numbers[1]
        else:
            expected = f"a number from 0 on, as {like}"
            good = is_number(given) and given >= 0
        if not good:
            raise BadInput(f"ranges.{key}={given}: expected {expected}")


def is_number(x: Any) -> bool:
    """Whether x is a number; true and false are none."""
    return isinstance(x, int | float) and not isinstance(x, bool)


def sheet_path(out: Path) -> Path:
    """Beside the folder, where no folder source takes it for a subject."""
    return out.with_name(f"{out.name}-sheet.jpg")


def newest_on_sheet(out: Path) -> None:
    """Write the sheet of the newest pictures, if there are any."""
    files = [out / entry["file"] for entry in read_log(out) if "file" in entry]
    files = [file for file in files if file.exists()][-ON_SHEET:]
    if files:
        write_sheet(sheet_path(out), files)
