"""Switch the ingredients of a recipe off, one a run, and print what each is worth.

    python benchmarks/ablations.py --init CKPT --scenes FOLDER --out ablations.jsonl
    python benchmarks/ablations.py base --scenes FOLDER --backgrounds VIEWS --people RENDERS \
        --steps 300 --pool 256 --every 8 --out base.jsonl
    python benchmarks/ablations.py refine --init CKPT --scenes FOLDER --backgrounds VIEWS \
        --people RENDERS --steps 120 --pool 256 --every 8 --out refine.jsonl

base: `experiment=people`, the first steps of a base network from ImageNet's weights (an extra).
refine: `experiment=people_refine` from a refined network, at a third of its rates; scored at the
scenes' own size, base network at a half and at a quarter of it, the mean of both.
Else: short runs of `experiment=procedural` (400 steps of 8 pictures, a pool of 1024, one thread),
scored on every fourth scene of a folder (src/ bgr/ pha/, as data=scenes) at a share of its size, or
on invented scenes of the full recipe where no folder is given. With --init each goes on from
a network that has learnt all of it, at a quarter of the recipe's rates and its last size: a run
says what is forgotten without the ingredient. From scratch, in steps of 60-96 px, short runs are
won by whatever recipe is easiest. Every run is one line of OUT, with all that it was made by;
started again, it skips what is there, so it may be killed at any time. --only NAME ... runs some,
--list names all, --table prints OUT and runs nothing.
A difference is a run's error less that of the full recipe of the same seed, so above 0 says that
switching it so was worse; what the seeds of the full recipe differ by is what can be told apart.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import seed_everything

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.switches import BASE, GOING_ON, PROCEDURAL, REFINE, SCRATCH, SHORT, SWITCHES_OF
from bgm.cli.launch import silence_lightning
from bgm.data import Procedural
from bgm.data.composites import collate
from bgm.data.fingerprint import fingerprint
from bgm.data.scenes import Scenes
from bgm.files import sha256
from bgm.metrics import score
from bgm.model.patches import Sampling
from bgm.paths import conf_dir
from bgm.train.trainer import load_initial_weights
from bgm.types import Batch

INVENTED = 24  # scenes to score on where no folder is given
HELD = 977  # their seed: that of the recipe's validation


def composed(words: list[str], folder: str) -> DictConfig:
    """The config of a training on this process."""
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        output = f"hydra.runtime.output_dir={folder}"
        cfg = compose("train", [*SHORT, *words, output], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return cfg


def made_by(cfg: DictConfig) -> str:
    """Twelve digits of all that decides what a run learns: config, and code that makes the data."""
    keys = ("network", "stage", "augment", "data", "batch_size", "seed", "trainer", "callbacks")
    plain = {k: cfg[k] for k in keys}
    plain = {
        k: OmegaConf.to_container(v, resolve=True) if OmegaConf.is_config(v) else v
        for k, v in plain.items()
    }
    plain["trainer"].pop("default_root_dir")
    parts = (instantiate(cfg.data.train.dataset), instantiate(cfg.augment), torch.__version__)
    return fingerprint(plain, *parts)


def train(cfg: DictConfig) -> torch.nn.Module:
    """Train as cfg says, from its seed; the network, ready to be asked."""
    seed_everything(cfg.seed, workers=True, verbose=False)
    options = {"valid": None, "valid_length": None, "checkup_seconds": 0}
    data, stage = instantiate(cfg.data, **options), instantiate(cfg.stage)
    load_initial_weights(stage, cfg)
    trainer = instantiate(cfg.trainer, enable_progress_bar=False, enable_checkpointing=False)
    trainer.fit(stage, data)
    return stage.eval()


def smaller(x: torch.Tensor, scale: float) -> torch.Tensor:
    """(C, H, W) as (1, C, h, w) at a share of its size, sides rounded to multiples of 4."""
    size = [max(4, round(side * scale / 4) * 4) for side in x.shape[-2:]]
    return F.interpolate(x[None], size, mode="bilinear", antialias=True).clamp(0, 1)


def scenes_of(args: argparse.Namespace) -> list[Batch]:
    """What is scored, small: of the folder, or invented by the full recipe's generator."""
    if args.scenes:
        found = Scenes(args.scenes)
        picked = (found[n] for n in range(0, len(found), args.every))
        if args.recipe == "refine":
            return [Batch(*(smaller(x, 1) for x in b[:4]), b.has_fgr[None]) for b in picked]
        return [Batch(*(smaller(x, args.scale) for x in b[:4]), b.has_fgr[None]) for b in picked]
    with tempfile.TemporaryDirectory() as folder:
        cfg = composed(PROCEDURAL, folder)
    side = args.invented_px // 4 * 4
    augment = instantiate(cfg.valid_augment, size=side, crop=[side, side], seed=HELD)
    made = Procedural(side, INVENTED, HELD).__getitems__(list(range(INVENTED)))
    return [augment(collate([sample])) for sample in made]


@torch.inference_mode()
def scored(stage: torch.nn.Module, scenes: list[Batch]) -> dict[str, Any]:
    """Mean MAD x1e3 and Grad /1000, and the MAD of every scene."""
    network, rows = stage.network, []
    refined = hasattr(network, "refiner")
    if refined:
        network.refiner.select = Sampling()
    for scene in scenes:
        for net in [network.at_scale(s) for s in (0.5, 0.25)] if refined else [network]:
            pha = net(scene.src, scene.bgr).pha[0, 0].clamp(0, 1)
            rows.append(score(pha, scene.pha[0, 0], protocol="frame", only=("mad", "grad")))
    means = {name: statistics.fmean(row[name] for row in rows) for name in ("mad", "grad")}
    return means | {"mads": [round(row["mad"], 3) for row in rows]}


def finished(out: Path) -> list[dict[str, Any]]:
    """The lines of a file that are whole: a killed run may have left half of one."""
    lines = []
    for text in out.read_text().splitlines() if out.exists() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def append(out: Path, line: dict[str, Any]) -> None:
    """Add a line, on the disk when this returns."""
    cut_off = out.exists() and not out.read_bytes().endswith((b"\n",)) and out.stat().st_size > 0
    with open(out, "a") as file:
        file.write(("\n" if cut_off else "") + json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def runs(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every run asked for, from the file or made now; seed by seed: early tables balance."""
    facts = {"steps": args.steps, "pool": args.pool, "scenes": "invented", "px": args.invented_px}
    facts["init"] = sha256(args.init)[:12] if args.init else "scratch"
    if args.recipe in ("base", "refine"):
        base = [*REFINE, f"init='{args.init}'"] if args.recipe == "refine" else list(BASE)
        base += [f"data.train.dataset.size={args.pool}"]
        base += [f"backgrounds='{args.backgrounds}'", f"people='{args.people}'"]
    else:
        base = [*PROCEDURAL, f"data.train.size={args.pool}"]
        base += [*GOING_ON, f"init='{args.init}'"] if args.init else SCRATCH
    if args.scenes:
        facts |= {"scenes": args.scenes.name, "every": args.every, "scale": args.scale}
        facts["content"] = fingerprint(Scenes(args.scenes))
        del facts["px"]
    switches = SWITCHES_OF[args.recipe]
    scenes: list[Batch] = []
    have = {(line["run"], json.dumps(line["about"])): line for line in finished(args.out)}
    for seed in args.seeds:
        for name in args.only or switches:
            words = [*base, f"seed={seed}", f"trainer.max_steps={args.steps}", *switches[name]]
            with tempfile.TemporaryDirectory() as folder:
                cfg = composed(words, folder)
                key = made_by(cfg)
                line = have.get((key, json.dumps(facts)))
                if line is None and not args.table:
                    scenes = scenes or scenes_of(args)
                    start = time.process_time()
                    stage = train(cfg)
                    trained = time.process_time()
                    line = {"name": name, "seed": seed, "run": key, "about": facts}
                    line |= scored(stage, scenes) | {"count": len(scenes)}
                    line["train_cpu_s"] = round(trained - start, 1)
                    line["score_cpu_s"] = round(time.process_time() - trained, 1)
                    append(args.out, line)
                    seconds = f"{line['train_cpu_s']} + {line['score_cpu_s']} CPU seconds"
                    message = f"{name}, seed {seed}: MAD {line['mad']:.2f}, {seconds}"
                    print(message, file=sys.stderr, flush=True)
            if line is not None:
                yield line


def table(lines: list[dict[str, Any]]) -> str:
    """Markdown: errors in the mean over seeds, and what they differ from the full recipe's."""
    full = {line["seed"]: line for line in lines if line["name"] == "full"}
    rows = ["| recipe | seeds | MAD x1e3 | difference | of each seed | Grad /1000 | difference |"]
    rows += ["| --- | ---: | ---: | ---: | --- | ---: | ---: |"]
    for name in dict.fromkeys(line["name"] for line in lines):
        mine = [line for line in lines if line["name"] == name]
        mad, grad = (statistics.fmean(line[metric] for line in mine) for metric in ("mad", "grad"))
        cells = [name, str(len(mine)), f"{mad:.2f}", "", "", f"{grad:.2f}", ""]
        pairs = [(line, full[line["seed"]]) for line in mine if line["seed"] in full]
        if pairs and name != "full":
            each = [line["mad"] - whole["mad"] for line, whole in pairs]
            change = statistics.fmean(line["grad"] - whole["grad"] for line, whole in pairs)
            cells[3], cells[4] = (
                f"{statistics.fmean(each):+.2f}",
                " ".join(f"{d:+.2f}" for d in each),
            )
            cells[6] = f"{change:+.2f}"
        rows.append(f"| {' | '.join(cells)} |")
    if len(full) > 1:
        spread = statistics.stdev(line["mad"] for line in full.values())
        rows += [
            "",
            f"Seeds of the full recipe differ by {spread:.2f} (standard deviation of MAD).",
        ]
    if lines:
        facts = ", ".join(f"{key} {value}" for key, value in lines[0]["about"].items())
        rows += [
            "",
            f"{lines[0]['count']} scenes; {facts}; seeds {sorted({r['seed'] for r in lines})}.",
        ]
    return "\n".join(rows)


def arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="procedural", choices=list(SWITCHES_OF))
    parser.add_argument("--backgrounds", type=Path, help="base, refine: photographs as places")
    parser.add_argument("--people", type=Path, help="base, refine: rendered people")
    parser.add_argument("--scenes", type=Path, help="folder of src/ bgr/ pha/; none: invented ones")
    parser.add_argument("--init", type=Path, help="checkpoint to go on from; none: from scratch")
    parser.add_argument("--out", type=Path, default=Path("ablations.jsonl"))
    parser.add_argument("--every", type=int, default=4, help="score each so many-th scene")
    parser.add_argument("--scale", type=float, default=0.375, help="share of the scenes' size")
    parser.add_argument("--invented-px", type=int, default=192, help="side of invented scenes")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--pool", type=int, default=1024, help="pictures invented for a run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some of what --list names")
    parser.add_argument("--list", action="store_true", help="name the switches and what they set")
    parser.add_argument("--table", action="store_true", help="print what is finished, run nothing")
    args = parser.parse_args(words)
    if unknown := set(args.only or ()) - set(SWITCHES_OF[args.recipe]):
        parser.error(f"--only names {', '.join(sorted(unknown))}, which --list does not")
    given = args.scenes and args.backgrounds and args.people
    if args.recipe == "refine" and not ((args.init and given) or args.list):
        parser.error("refine needs --init, --scenes, --backgrounds and --people")
    if args.recipe == "base" and not (given or args.list):
        parser.error("base needs --scenes, --backgrounds and --people")
    return args


def main(words: list[str] | None = None) -> None:
    """Run what is missing, then print the table."""
    args = arguments(words)
    torch.set_num_threads(1)
    silence_lightning()
    if args.list:
        for name, overrides in SWITCHES_OF[args.recipe].items():
            print(f"{name:26s} {' '.join(overrides)}")
        return
    print(table(list(runs(args))))


if __name__ == "__main__":
    main()
