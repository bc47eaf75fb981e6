"""What eval.py is asked to score: a model file or a folder of predictions, and where it writes."""

import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from bgm.console import say
from bgm.data import Scenes
from bgm.data.datamodule import finished_scenes
from bgm.errors import BadInput
from bgm.eval.cases import Cases, MattedScenes, PredictedScenes
from bgm.eval.examples import save_examples
from bgm.eval.partial_scores import Journal, key_of, sha256
from bgm.eval.predictions import Predictions
from bgm.eval.report import check_libraries
from bgm.eval.robustness import chosen
from bgm.eval.scoring import Rules, by_network, score_cases, write_scores
from bgm.eval.trimaps import Trimaps
from bgm.files import beside
from bgm.infer.models import open_model
from bgm.metrics import Scores
from bgm.weights import located

KNOBS = ("select", "backbone_scale", "base_scale")  # what changes a model's answer


class Subject(NamedTuple):
    """Cases to score, the rules, and what is to be written down about them."""

    cases: Cases
    rules: Rules
    about: dict[str, Any]
    out: Path  # OUT of OUT.csv and OUT.json
    key: str  # equal for runs whose scores are equal

    def journal(self, part: str = "") -> Journal:
        """What a killed run of the same key left behind, beside the outputs; part: of a part."""
        return Journal(self.out.with_name(f".{self.out.name}{part}.partial.jsonl"), self.key)


def checked_scenes(cfg: DictConfig) -> Scenes:
    """The scenes of a config, after a look at its inputs and outputs: see `check_outputs`."""
    check_outputs(cfg)
    return finished_scenes(instantiate(cfg.data), cfg.split)


def check_outputs(cfg: DictConfig) -> None:
    """Refuse, before anything is computed, a wrong choice of inputs and outputs that cannot be."""
    if (cfg.ckpt is None) == (cfg.pred is None):
        found = "none" if cfg.ckpt is None else "both"
        raise BadInput(f"give ckpt=FILE or pred=FOLDER, one of them, found {found}")
    given = cfg.ckpt or cfg.pred
    if not located(given).exists():
        raise BadInput(f"{given} does not exist")
    if chosen(cfg.robustness) and cfg.pred:
        raise BadInput("robustness=... changes what a network sees: give ckpt=, found pred=")
    out = Path(cfg.out or beside(given, "-scores"))
    for path in (out.with_name(f"{out.name}.csv"), out.with_name(f"{out.name}.json")):
        check_writable(path)
    if cfg.report:
        check_libraries()
        check_writable(Path(cfg.report))


def check_writable(path: Path) -> None:
    """BadInput unless a file can be written there; leaves nothing but its folder."""
    if path.is_dir():
        raise BadInput(f"cannot write {path} (Is a directory)")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise BadInput(f"cannot write {path} ({error.strerror or error})") from None


def open_subject(cfg: DictConfig, scenes: Scenes) -> Subject:
    """The model or folder of a config over scenes. Raises BadInput for what cannot be scored."""
    rules = Rules(cfg.protocol, cfg.scale, cfg.grad_normalise, cfg.mask_known)
    trimaps = None
    if rules.need_trimaps():
        trimaps = Trimaps(scenes.root / "trimap", scenes.names)
    files = [f for row in scenes.files for f in row if f]
    files += trimaps.files.values() if trimaps else []
    knobs = knobs_of(cfg) if cfg.ckpt else {}
    if cfg.ckpt:
        model = open_model(cfg.ckpt, cfg)
        cases: Cases = MattedScenes(scenes, by_network(model, cfg.quantise), trimaps)
        if model.scale == 1:
            knobs.pop("base_scale", None)  # which base networks alone look at
        what = {
            "model": cfg.ckpt,
            "sha256": sha256(located(cfg.ckpt)),
            "device": named(model.device),
        }
    else:
        predictions = Predictions(cfg.pred, scenes.names)
        cases = PredictedScenes(scenes, predictions, cfg.quantise, trimaps)
        what = {"predictions": cfg.pred}
        files += predictions.files
    about = what | knobs
    about |= {"data": scenes.root.name, "scenes": len(scenes), "sizes": sizes(scenes)}
    about |= {"quantise": cfg.quantise, **rules._asdict()}
    about |= {"trimaps": trimaps.origin} if trimaps else {}
    key = key_of(
        cfg.ckpt and str(located(cfg.ckpt)),
        files,
        rules._asdict(),
        cfg.quantise,
        knobs,
        scenes.names,
    )
    default = beside(cfg.ckpt or f"{cfg.pred}.x", f"-{scenes.root.name}")
    return Subject(cases, rules, about, Path(cfg.out or default), key)


def score_subject(subject: Subject, scenes: Scenes, cfg: DictConfig) -> Scores:
    """Score it, going on where a killed run was, and keep a few pictures; scores are on disk."""
    start = time.monotonic()
    with subject.journal() as journal:
        if before := len(journal.rows):
            say(f"going on after {before} of {len(scenes)} pictures that an earlier run has scored")
        scores = score_cases(subject.cases, subject.rules, threads=cfg.threads, journal=journal)
        scores.about = subject.about | {"seconds": round(time.monotonic() - start, 1)}
        scores.about["resumed_after"] = before
        write_scores(scores, subject.out)
    if cfg.examples:
        scores.about["examples"] = save_examples(
            subject.cases, scenes, scores, subject.out, cfg.examples
        )
    return scores


def knobs_of(cfg: DictConfig) -> dict[str, Any]:
    """What was asked to be other than the model's own."""
    given = OmegaConf.to_container(OmegaConf.masked_copy(cfg, list(KNOBS)), resolve=True)
    assert isinstance(given, dict)
    return {str(k): v for k, v in given.items() if v is not None}


def named(device: torch.device) -> str:
    """The name of a GPU, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def sizes(scenes: Scenes) -> str:
    """1920x1080, or the range of several sizes."""
    found = sorted(set(scenes.sizes))
    first, last = (f"{W}x{H}" for H, W in (found[0], found[-1]))
    return first if len(found) == 1 else f"{first} to {last}, {len(found)} sizes"
