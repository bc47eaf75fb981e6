"""bgm compose: write a benchmark's scenes from a config or a manifest; check what was written."""

import os
from functools import partial
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from bgm.compose import MANIFEST, Manifest, check, compose, read
from bgm.console import say, tracked
from bgm.errors import BadInput
from bgm.files import sha256
from bgm.paths import conf_dir


def main(cfg: DictConfig) -> None:
    """Compose or check what conf/compose.yaml and the command line say."""
    if cfg.check is not None:
        return check_folder(Path(cfg.check), cfg.data_root)
    if cfg.data_root is None:
        raise BadInput("data_root=null: composing needs the folder that sources are named from")
    manifest = read(cfg.manifest) if cfg.manifest else plan_benchmark(cfg)
    out = Path(cfg.out or Path(cfg.data_root, "benchmarks", manifest.name))
    workers = cfg.workers or os.cpu_count() or 1
    track = partial(tracked, what="composing", total=len(manifest.scenes))
    done = compose(manifest, cfg.data_root, out, workers=workers, track=track)
    say(f"{len(done.scenes)} scenes, {len(done.files)} files in {out}")
    say(f"sha256 of {MANIFEST}, which has all others: {sha256(out / MANIFEST)}")
    if manifest.files:
        say("every picture is what the manifest says")


def plan_benchmark(cfg: DictConfig) -> Manifest:
    """The manifest of a config: the committed one, if that is what it plans."""
    benchmark = instantiate(cfg.benchmark)
    plan = benchmark.plan(cfg.data_root)
    committed = Path(conf_dir(), "benchmark", f"{plan.name}.json")
    if not committed.is_file():
        return plan
    found = read(committed)
    if found._replace(files={}) == plan:
        return found
    say(f"other numbers than the committed benchmark {plan.name} has: this is one of your own")
    return plan


def check_folder(folder: Path, data_root: str | None) -> None:
    """Say that a folder is what its manifest says; BadInput names what is missing or different."""
    manifest = read(folder / MANIFEST)
    if not manifest.files:
        raise BadInput(f"{folder / MANIFEST} is a plan: it knows no files to check")
    if wrong := check(folder, manifest, data_root):
        raise BadInput(wrong)
    files = sum("drawn" not in spec for spec in manifest.sources.values())
    sources = "sources not looked at" if data_root is None else f"{files} source files"
    say(f"{folder}: {len(manifest.files)} composed files and {sources} are what its manifest says")
    say(f"sha256 of {MANIFEST}: {sha256(folder / MANIFEST)}")
