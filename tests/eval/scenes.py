"""Small finished scenes and predictions of them, for the tests of scoring."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bgm.data.scenes import write_scenes
from bgm.pictures import read_picture, write_png
from bgm.types import Batch
from tests.test_line import script

SIZE = (22, 31)  # no multiples of 4
NAMES = [f"clip/{i:02d}" for i in range(8)]


def truth(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A soft disc, somewhere, (H, W) in 0..255."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    where = rng.uniform(0.3, 0.7, 2) * size
    soft = np.clip((7 - np.hypot(y - where[0], x - where[1])) / 3 + 0.5, 0, 1)
    return np.rint(soft * 255).astype(np.uint8)


def write(root: Path, names: list[str]) -> Path:
    """src/ bgr/ pha/ fgr/ of some scenes, and pred/ with what a mediocre tool made of them."""
    scenes = []
    for seed, name in enumerate(names):
        rng = np.random.default_rng(seed + 100)
        pha = torch.from_numpy(truth(seed))[None] / 255
        colours = torch.from_numpy(rng.integers(0, 256, (9, *SIZE))).float() / 255
        scenes.append(Batch(colours[:3], colours[3:6], pha, colours[6:], torch.tensor(True)))
        pred = np.clip(truth(seed) + rng.normal(0, 20, SIZE), 0, 255).astype(np.uint8)
        write_png(root / "pred" / f"{name}.png", torch.from_numpy(pred)[None])
    write_scenes(root / "scenes", scenes, names)
    return root / "scenes"


def evaluate(place, *args):
    """eval.py on the folder; returns its exit code and, if it wrote one, the JSON."""
    out = place / "scores"
    data = ["data=scenes", f"data_root={place / 'scenes'}", f"out={out}"]
    code = script("eval", *data, *args)
    file = out.with_name("scores.json")
    return code, json.loads(file.read_text()) if file.is_file() else None


def refused(capsys, place, *args):
    assert evaluate(place, *args) == (1, None)
    said = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert len(said) == 1
    assert not (place / "scores.csv").exists()
    return said[0]


def gray(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


def pred_of(place, name):
    return read_picture(place / "pred" / f"{name}.png", "L")[0].numpy()


def row(name, scores):
    """A picture as the JSON has it."""
    return {"name": name} | {metric: pytest.approx(value) for metric, value in scores.items()}
