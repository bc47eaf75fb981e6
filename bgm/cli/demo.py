"""bgm demo: the whole line on procedural data, train -> train -> score -> export -> matte."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from rich.table import Table

from bgm.console import say
from bgm.data import Scenes
from bgm.data.datamodule import finished_scenes
from bgm.errors import BadInput
from bgm.eval.baselines import score_baselines
from bgm.eval.cases import ComputedCases, predict_with
from bgm.eval.scoring import Rules, score_cases
from bgm.files import write_text
from bgm.infer.models import open_model
from bgm.metrics import Metric, Scores
from bgm.ops import resize
from bgm.paths import conf_dir, script_path
from bgm.pictures import write_png
from bgm.types import Batch

OPTIONS = OmegaConf.create({"device": "cpu", "backbone_scale": None, "base_scale": 0.5})
ROWS = {
    "all_zero": "all-zero alpha",
    "hard": "best threshold on src - bgr",
    "hard_closing": "the same with closing",
    "best_threshold": "best key, soft ramps too",
    "base": "base network, coarse size",
    "base_upsampled": "base network, upsampled",
    "refined": "refined network",
    "shipped": "mobilenetv2, as it comes with bgm",
}
SHIPPED = "mobilenetv2"


def main(args: list[str]) -> None:
    """Run the demo into runs/demo; arguments are overrides for both trainings (to try it fast)."""
    out, start = Path("runs/demo"), time.monotonic()
    step(1, "train the base stage on procedural pictures (about 4 minutes)")
    train(out, "base", ["experiment=demo", *args])
    step(2, "train the refine stage, starting from it (about 3 minutes)")
    base = out / "base" / "last.ckpt"
    train(out, "refine", ["experiment=demo_refine", f"init={base}", *args])
    shutil.copyfile(out / "refine" / "last.ckpt", out / "model.ckpt")
    step(3, "score on the fixed validation scenes")
    scenes = validation_scenes(out)
    scores = score_all(scenes, base, out / "model.ckpt")
    step(4, "export to ONNX and certify it against PyTorch (about two minutes)")
    run("export", f"ckpt={out / 'model.ckpt'}", "export=onnx", f"out={out / 'model.onnx'}")
    step(5, "matte a picture with the exported model, and with the one that comes with bgm")
    matte_sample(scenes, out)
    write_means(scores, out, time.monotonic() - start)
    show_results(scores, out)


def step(number: int, what: str) -> None:
    say(f"\n[bold]{number}/5[/bold] {what}")


def run(script: str, *args: str, env: dict[str, str] | None = None) -> None:
    """Run one of the scripts as its own process: the demo is what a user would type."""
    command = [sys.executable, str(script_path(script)), *args]
    done = subprocess.run(command, check=False, env=os.environ | (env or {}))
    if done.returncode:
        raise BadInput(f"{script}.py failed with exit code {done.returncode}")


def train(out: Path, stage: str, args: list[str]) -> None:
    shutil.rmtree(out / stage, ignore_errors=True)
    paths = [f"data_root={out / 'data'}", f"hydra.run.dir={out / stage}"]
    # A process for each core, not a thread: threads that share every layer wait for each other,
    # and for whatever else the machine does (measured: twice the samples a second on two cores).
    run("train", *args, *paths, env={"OMP_NUM_THREADS": "1"})


def validation_scenes(out: Path) -> Scenes:
    """The scenes that the refine stage validates on."""
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", ["experiment=demo_refine", f"data_root={out / 'data'}"])
    return finished_scenes(instantiate(cfg.data), "valid")


def score_all(scenes: Scenes, base: Path, refined: Path) -> dict[str, Scores]:
    """Scores of the trivial mattes, of both networks, and of the one that comes with bgm."""
    scores = score_baselines(scenes)
    scores["best_threshold"] = min(
        (s for name, s in scores.items() if name != "all_zero"), key=lambda s: s.mean()["mad"]
    )
    coarse = open_model(str(base), OPTIONS)
    shrunk = ShrunkScenes(scenes, coarse.scale)
    for name, model, shown in (
        ("base_upsampled", coarse, scenes),
        ("base", coarse._replace(scale=1.0), shrunk),
        ("refined", open_model(str(refined), OPTIONS), scenes),
        ("shipped", open_model(SHIPPED, OPTIONS), scenes),
    ):
        scores[name] = score_cases(ComputedCases(shown, predict_with(model)), Rules(), name)
    return scores


class ShrunkScenes:
    """Scenes at a fraction of their size, truth resized bilinearly as in the coarse loss terms."""

    def __init__(self, scenes: Scenes, scale: float):
        self.scenes, self.scale, self.names = scenes, scale, scenes.names

    def __getitem__(self, index: int) -> Batch:
        scene = self.scenes[index]
        size = [round(n * self.scale) for n in scene.src.shape[1:]]
        return Batch(*(resize(x[None], size)[0] for x in scene[:4]), scene.has_fgr)


def matte_sample(scenes: Scenes, out: Path) -> None:
    """Write one scene as pictures; matte it with the exported model, and with the shipped one."""
    scene = scenes[0]
    write_png(out / "sample" / "src.png", scene.src)
    write_png(out / "sample" / "bgr.png", scene.bgr)
    pictures = [f"{name}={out / 'sample' / name}.png" for name in ("src", "bgr")]
    run("predict", f"model={out / 'model.onnx'}", *pictures, f"out={out / 'sample'}")
    run("predict", f"model={SHIPPED}", *pictures, f"out={out / 'sample' / SHIPPED}")


def write_means(scores: dict[str, Scores], out: Path, seconds: float) -> None:
    means = {name: s.mean() for name, s in scores.items()}
    metrics = shared_metrics(scores)
    report = {m: {name: mean[m] for name, mean in means.items()} for m in metrics}
    scales = {name: metric.scale for name, metric in metrics.items()}
    facts = {"protocol": "frame", "scales": scales, "seconds": round(seconds)}
    write_text(out / "report.json", json.dumps(report | facts, indent=1) + "\n")


def shared_metrics(scores: dict[str, Scores]) -> dict[str, Metric]:
    """The metrics that all of these have: trivial mattes have no foreground."""
    found = [s.metrics for s in scores.values()]
    return {name: row for name, row in found[0].items() if all(name in other for other in found)}


def show_results(scores: dict[str, Scores], out: Path) -> None:
    """The short table and the paths of what was left."""
    table = Table(title=f"{len(scores['refined'].rows)} procedural scenes, unseen in training")
    metrics = shared_metrics(scores)
    table.add_column("")
    for metric in metrics.values():
        table.add_column(metric.label, justify="right")
    for name, label in ROWS.items():
        mean = scores[name].mean()
        table.add_row(label, *(f"{mean[m]:.4g}" for m in metrics))
    say(table)
    for path in (
        "model.ckpt",
        "model.onnx",
        "model.onnx.certificate.md",
        "report.json",
        "sample/com/src.png",
        f"sample/{SHIPPED}/com/src.png",
    ):
        say(out / path)
    say(f"curves and pictures: .venv/bin/tensorboard --logdir {out}")
