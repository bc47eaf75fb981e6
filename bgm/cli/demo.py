"""bgm demo: the whole line on embedded people, train -> train -> score -> export -> matte."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from hydra.utils import instantiate
from rich.table import Table
from rich.text import Text

from bgm.cli.launch import compose_config
from bgm.console import say
from bgm.data import Scenes
from bgm.errors import BadInput
from bgm.eval.cases import ComputedCases, predict_with
from bgm.eval.evaluate import score_baselines
from bgm.eval.scoring import Rules, score_cases
from bgm.files import remove_empty, write_text
from bgm.infer.models import open_model
from bgm.metrics import Scores
from bgm.paths import script_path
from bgm.pictures import write_png

SHIPPED = "efficientnet_lite0"
TRAININGS = {"base": "demo", "refine": "demo_refine"}  # stage -> experiment
# What a training leaves in its folder.
WRITTEN = ["*.ckpt", ".*.ckpt.part", "card.json", "train*.log", ".hydra/*.yaml"]
WRITTEN += ["tensorboard/events.out.tfevents.*", "tensorboard/hparams.yaml"]
ROWS = {
    "all_zero": "all-zero alpha",
    "hard": "best threshold on src - bgr",
    "hard_closing": "the same with closing",
    "best_threshold": "best key, soft ramps too",
    "base": "base network, upsampled",
    "refined": "refined network",
    "shipped": f"{SHIPPED} as it ships",
}


def main(args: list[str]) -> None:
    """Run the demo into runs/demo; arguments are overrides for both trainings (to try it fast)."""
    out, start = Path("runs/demo"), time.monotonic()
    base, refined = out / "base" / "last.ckpt", out / "refine" / "last.ckpt"
    model = out / "model.ckpt"
    for stage in TRAININGS:
        check_own_training(out, stage)  # before the first is trained
    say_step("1/5", "train the base network on, on people that come with bgm")
    train(out, "base", args)
    say_step("2/5", "train the refiner that ships on, for this base network")
    train(out, "refine", [f"init=[{SHIPPED},{base}]", *args])
    shutil.copyfile(refined, model)
    say_step("3/5", "score on people kept back from both trainings")
    scenes = validation_scenes(out)
    scores = score_all(scenes, base, model)
    say_step("4/5", "export to ONNX and certify it against PyTorch (minutes)")
    run("export", f"ckpt={model}", "export=onnx", f"out={model.with_suffix('.onnx')}")
    say_step("5/5", "matte a picture with the exported model, and with the shipped one")
    matte_sample(scenes, out)
    show_results(scores, out, time.monotonic() - start)


def say_step(number: str, what: str) -> None:
    """Print what begins now, its number in bold."""
    say(Text.assemble((f"\n{number}", "bold"), f" {what}"))


def run(script: str, *args: str, env: dict[str, str] | None = None) -> None:
    """Run one of the scripts as its own process: the demo is what a user would type."""
    command = [sys.executable, str(script_path(script)), *args]
    done = subprocess.run(command, check=False, env=os.environ | (env or {}))
    if done.returncode:
        raise BadInput(f"{script}.py failed with exit code {done.returncode}")


def check_own_training(out: Path, stage: str) -> None:
    """Raise BadInput where out/stage holds anything else than the demo's earlier training of it."""
    folder = out / stage
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    words, own = folder / ".hydra" / "overrides.yaml", f"- experiment={TRAININGS[stage]}"
    if not words.is_file() or own not in words.read_text(encoding="utf-8").splitlines():
        raise BadInput(f"{folder} holds no training of bgm demo: move it, the demo trains there")


def remove_training(folder: Path) -> None:
    """Remove what a training left in a folder; what somebody laid beside it stays."""
    for path in [x for pattern in WRITTEN for x in folder.glob(pattern)]:
        path.unlink()
    remove_empty(sorted((x for x in folder.rglob("*") if x.is_dir()), reverse=True))


def train(out: Path, stage: str, args: list[str]) -> None:
    """Train one stage into out/stage, in the place of the demo's earlier training."""
    check_own_training(out, stage)
    remove_training(out / stage)
    words = [f"experiment={TRAININGS[stage]}", *args]
    paths = [f"data_root={out / 'data'}", f"hydra.run.dir={out / stage}"]
    # A process for each core, not a thread: threads that share every layer wait for each other,
    # and for whatever else the machine does (measured: twice the samples a second on two cores).
    run("train", *words, *paths, env={"OMP_NUM_THREADS": "1"})


def validation_scenes(out: Path) -> Scenes:
    """The scenes that the refine stage validates on."""
    cfg = compose_config("train", ["experiment=demo_refine", f"data_root={out / 'data'}"])
    return instantiate(cfg.data).finished_scenes("valid")


def score_all(scenes: Scenes, base: Path, refined: Path) -> dict[str, Scores]:
    """Scores of the trivial mattes, of both networks, and of the one that comes with bgm."""
    scores = score_baselines(scenes)
    keys = [s for name, s in scores.items() if name != "all_zero"]
    scores["best_threshold"] = min(keys, key=lambda s: s.mean()["mad"])
    for name, path in (("base", base), ("refined", refined), ("shipped", SHIPPED)):
        scale = 0.5 if name == "base" else None
        model = open_model(str(path), device="cpu", backbone_scale=None, base_scale=scale)
        predict = predict_with(model)
        scores[name] = score_cases(ComputedCases(scenes, predict), Rules(), name)
    return scores


def matte_sample(scenes: Scenes, out: Path) -> None:
    """Write one scene as pictures; matte it with the exported model, and with the shipped one."""
    sample = out / "sample"
    for name in ("src", "bgr"):
        write_png(sample / f"{name}.png", getattr(scenes[0], name))
    pictures = [f"{name}={sample / name}.png" for name in ("src", "bgr")]
    run("predict", f"model={out / 'model.onnx'}", *pictures, f"out={sample}")
    run("predict", f"model={SHIPPED}", *pictures, f"out={sample / SHIPPED}")


def show_results(scores: dict[str, Scores], out: Path, seconds: float) -> None:
    """Write report.json; print the short table and the paths of what was left."""
    metrics = scores["all_zero"].metrics  # all have these: a trivial matte has no foreground
    means = {name: scores[name].mean() for name in ROWS}
    report = {metric: {name: mean[metric] for name, mean in means.items()} for metric in metrics}
    scales = {name: metric.scale for name, metric in metrics.items()}
    facts = {"protocol": "frame", "scales": scales, "seconds": round(seconds)}
    write_text(out / "report.json", json.dumps(report | facts, indent=1) + "\n")
    table = Table(title=f"{len(scores['refined'].rows)} scenes of people that no training saw")
    table.add_column(no_wrap=True)
    for metric in metrics.values():
        table.add_column(metric.label, justify="right")
    for name, label in ROWS.items():
        table.add_row(label, *(f"{means[name][metric]:.4g}" for metric in metrics))
    say(table)
    for file in ("model.ckpt", "model.onnx", "model.onnx.certificate.md", "report.json"):
        say(out / file)
    say(out / "sample/com/src.png", out / f"sample/{SHIPPED}/com/src.png", sep="\n")
    say(f"curves and pictures: .venv/bin/tensorboard --logdir {out}")
