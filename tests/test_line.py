"""The whole line through the scripts: train, resume, refine, eval, export, predict.

In a folder whose name Hydra's grammar refuses, on tiny procedural pictures.
"""

import importlib
import json
import shutil
import signal
import sys

import pytest
import torch
from omegaconf import OmegaConf

import bgm
from bgm.cli.blend import main as blend
from bgm.cli.launch import command_line
from bgm.cli.release import main as release
from bgm.cli.show import main as show
from bgm.cli.show import read_facts
from bgm.errors import BadInput
from bgm.model import MattingRefine
from bgm.pictures import read_picture, write_png
from bgm.weights import read_weights

SMALL = [
    "augment.size=64",
    "augment.crop=[48,64]",
    "valid_augment.size=64",
    "valid_augment.crop=[48,60]",
    "data.valid_length=2",
    "batch_size=2",
    "workers=0",
    "trainer.val_check_interval=2",
    "callbacks.last.every_n_steps=3",
    "callbacks.pictures.every_n_steps=2",
]
ALONE = ["trainer=default", "trainer.accelerator=cpu"]  # in this process
BASE = ["experiment=small", *ALONE, "callbacks.grow.phases=[[0.0,48,64]]", *SMALL]


def script(name, *args):
    """Run a script's main with a command line; returns its exit code."""
    argv, children = sys.argv, signal.getsignal(signal.SIGCHLD)
    sys.argv = [f"{name}.py", *map(str, args)]
    try:
        with command_line():
            importlib.import_module(name).main()
    except SystemExit as stop:
        return stop.code
    finally:
        sys.argv = argv
        signal.signal(signal.SIGCHLD, children)  # which ends with a program that ends with an error
    return 0


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A base run, killed after 2 of 4 steps and resumed, and a refine run that starts from it."""
    runs = tmp_path_factory.mktemp("my runs (1), a=b")
    places = [f"data_root={runs / 'data'}", f"hydra.run.dir={runs / 'base'}"]
    assert script("train", *BASE, *places, "trainer.max_steps=2") == 0
    shutil.copy(runs / "base" / "last.ckpt", runs / "killed.ckpt")
    resume = [f"resume={runs / 'killed.ckpt'}", "trainer.max_steps=4"]
    assert script("train", *BASE, *places, *resume) == 0
    places[1] = f"hydra.run.dir={runs / 'refine'}"
    refine = [
        "experiment=small_refine",
        *ALONE,
        *SMALL,
        "trainer.max_steps=2",
        "select.sample_pixels=800",
    ]
    assert script("train", *refine, *places, f"init={runs / 'base' / 'last.ckpt'}") == 0
    return runs


def test_training_leaves_checkpoints_and_curves(runs):
    steps = {
        name: torch.load(runs / name, weights_only=True)["global_step"]
        for name in ("killed.ckpt", "base/last.ckpt", "refine/last.ckpt")
    }
    assert steps == {"killed.ckpt": 2, "base/last.ckpt": 4, "refine/last.ckpt": 2}
    for stage in ("base", "refine"):
        assert (runs / stage / "best.ckpt").is_file()
        assert list((runs / stage / "tensorboard").glob("events*"))
    assert isinstance(bgm.load(runs / "refine" / "last.ckpt"), MattingRefine)


def test_a_run_card_is_in_the_checkpoint_and_beside_it(runs, capsys):
    stored = torch.load(runs / "base" / "last.ckpt", weights_only=True)["bgm_card"]
    beside = json.loads((runs / "base" / "card.json").read_text())
    assert stored["progress"]["step"] == beside["progress"]["step"] == 4
    assert stored["config"]["callbacks"]["last"]["every_n_steps"] == 3
    assert stored["data"]["train"]["items"] == 100000
    assert len(stored["data"]["valid"]["fingerprint"]) == 12
    assert stored["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert stored["hardware"]["cores"] >= 1
    assert stored["throughput"]["samples_per_second"] > 0
    best = torch.load(runs / "base" / "best.ckpt", weights_only=True)["bgm_card"]
    assert 0 < best["metrics"]["val/mad"] < 1000  # mean absolute difference x 1e3
    assert set(beside["metrics"]) == set(best["metrics"])
    assert "trainer.max_steps=4" in stored["command"]
    show([str(runs / "base" / "last.ckpt")])
    shown = capsys.readouterr().out
    for word in (
        "samples_per_second",
        "train/loss",
        "fingerprint",
        "every_n_steps: 3",
        "global_step",
    ):
        assert word in shown


def test_scores_are_printed_and_written(runs, tmp_path, capsys):
    data = [f"data_root={runs / 'data'}", *SMALL[2:5]]
    for stage in ("base", "refine"):
        out = tmp_path / f"scores of {stage}, 1"
        ckpt = runs / stage / "last.ckpt"
        assert script("eval", f"ckpt={ckpt}", *data, f"out={out}", "baselines=true") == 0
        report = json.loads(out.with_name(f"{out.name}.json").read_text())
        assert {"mad", "mse", "sad", "grad", "conn"} <= set(report["mean"])
        assert len(report["pictures"]) == 2
        assert out.with_name(f"{out.name}.csv").read_text().startswith("name,mad")
        shown = capsys.readouterr().out
        assert "mad x1e3" in shown
        assert "soft_closing" in shown


def test_export_and_predict_any_size(runs, tmp_path):
    model = tmp_path / "exported (x).pt"
    ckpt = runs / "refine" / "last.ckpt"
    small = ["certify.grid=small", "certify.scenes=1"]
    assert script("export", f"ckpt={ckpt}", "export=torchscript", f"out={model}", *small) == 0
    facts = json.loads(model.with_name("exported (x).pt.certificate.json").read_text())
    assert facts["matting"]["set"] == "1 procedural scenes of 512x288"
    shot, plate = torch.rand(3, 37, 50), torch.rand(3, 37, 50)
    for name in ("a", "deep/b"):
        write_png(tmp_path / "shots = 2" / f"{name}.png", shot)
    write_png(tmp_path / "plate.png", plate)
    paths = [f"src={tmp_path / 'shots = 2'}", f"bgr={tmp_path / 'plate.png'}"]
    for kind, file in (("pt", model), ("ckpt", ckpt), ("base", runs / "base" / "last.ckpt")):
        out = tmp_path / kind
        outputs = "outputs=[com,pha,fgr,err,ref]"
        assert script("predict", f"model={file}", *paths, f"out={out}", outputs) == 0
        for folder, mode in (("com", "RGBA"), ("pha", "L"), ("fgr", "RGB"), ("err", "L")):
            picture = read_picture(out / folder / "deep" / "b.png", mode)
            assert picture.shape[1:] == (37, 50)


def test_a_released_network_is_loaded_by_its_name(runs, tmp_path, monkeypatch):
    out = tmp_path / "weights" / "small.safetensors"
    last = runs / "refine" / "last.ckpt"
    given = {"ckpt": str(last), "before": str(runs / "base" / "last.ckpt"), "out": str(out)}
    with pytest.raises(BadInput, match="bgm release has scenes 0, expected scenes >= 1"):
        release(OmegaConf.create({**given, "scenes": 0}))
    release(OmegaConf.create({**given, "licence": "MIT", "scenes": 1, "sample_pixels": 4096}))
    assert bgm.load(out).refiner.select.sample_pixels == 4096
    assert 5e6 < out.stat().st_size < 11e6
    assert str(tmp_path.anchor + "tmp") not in json.dumps(read_weights(out).about)
    facts = read_facts(out)
    assert facts["licence"] == "MIT"
    assert facts["precision"] == "float16"
    assert "hours: 0.0" in facts["trainings"]
    assert "max_steps" in facts["trainings"]
    assert len(read_weights(out).about["trainings"]) == 2
    monkeypatch.setattr("bgm.weights.named_files.folder", lambda: out.parent)
    net, truth = bgm.load("small"), bgm.load(last)
    src, bgr = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(src, bgr).pha, truth(src, bgr).pha, atol=2e-2, rtol=0)
    write_png(tmp_path / "a.png", src[0])
    shot = [f"src={tmp_path / 'a.png'}", f"bgr={tmp_path / 'a.png'}", f"out={tmp_path / 'out'}"]
    assert script("predict", "model=small", *shot) == 0
    (tmp_path / "small").write_bytes(b"x")  # a file of one's own comes first
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="small is no checkpoint"):
        bgm.load("small")


def test_a_blend_of_two_trainings_is_a_network_to_start_from_and_to_release(runs, tmp_path):
    base, last = runs / "base" / "last.ckpt", runs / "refine" / "last.ckpt"
    out = tmp_path / "blend.safetensors"
    given = {"before": str(base), "after": str(last), "share": 0.25, "out": str(out)}
    blend(OmegaConf.create(given))
    mixed, old, new = (read_weights(path).state for path in (out, base, last))
    name = "decoder.conv4.weight"
    expected = torch.lerp(old[name], new[f"base.{name}"], 0.25)
    torch.testing.assert_close(mixed[f"base.{name}"], expected)
    assert "share: 0.25" in read_facts(out)["config"]
    assert isinstance(bgm.load(out), MattingRefine)
    release(
        OmegaConf.create(
            {
                "ckpt": str(out),
                "before": [str(base), str(last)],
                "out": str(tmp_path / "small.safetensors"),
                "licence": "MIT",
                "scenes": 1,
            }
        )
    )
    trainings = read_weights(tmp_path / "small.safetensors").about["trainings"]
    assert "blend_of" in trainings[2]
    with pytest.raises(BadInput, match=r"ends in \.ckpt, expected \.safetensors"):
        blend(OmegaConf.create(given | {"out": "x.ckpt"}))


def test_bad_input_is_one_sentence_and_exit_code_1(runs, tmp_path, capsys):
    def refused(name, *args):
        assert script(name, *args) == 1
        said = capsys.readouterr().err.strip().splitlines()
        assert len([line for line in said if line.startswith("error: ")]) == 1
        return said[-1]

    place = [f"data_root={tmp_path / 'data'}", f"hydra.run.dir={tmp_path / 'run'}"]
    base = runs / "base" / "last.ckpt"
    folder = ["experiment=base", "backbone=mobilenetv2", "trainer.accelerator=cpu"]
    assert "does not exist" in refused("train", *folder, *place)
    (tmp_path / "data" / "train").mkdir(parents=True)
    assert "0 pictures" in refused("train", *folder, *place)
    wrong = ["experiment=small", *ALONE, "backbone=resnet50", *SMALL, *place, f"init={base}"]
    assert "expected" in refused("train", *wrong)
    resume = [*BASE, *place, f"resume={runs / 'refine' / 'last.ckpt'}"]
    assert "expected" in refused("train", *resume)
    assert "does not exist" in refused("eval", "ckpt=absent.ckpt", "data_root=x")
    write_png(tmp_path / "a.png", torch.rand(3, 8, 8))
    write_png(tmp_path / "b.png", torch.rand(3, 8, 12))
    shot = [f"model={base}", f"src={tmp_path / 'a.png'}"]
    said = refused("predict", *shot, f"bgr={tmp_path / 'b.png'}", f"out={tmp_path / 'out'}")
    assert "a.png" in said
    assert "b.png" in said
    assert "out=... is missing" in refused("predict", *shot, f"bgr={tmp_path / 'a.png'}")
    pair = [*shot, f"bgr={tmp_path / 'a.png'}", f"out={tmp_path / 'out'}"]
    for wrong in ("backbone_scale=0.7", "backbone_scale=half", "base_scale=0"):
        assert wrong.replace("=", " is ") in refused("predict", *pair, wrong)
    out = tmp_path / "a.png" / "below a file"
    assert "a.png" in refused("predict", *shot, f"bgr={tmp_path / 'a.png'}", f"out={out}")
    assert not (tmp_path / "out").exists()
    broken = tmp_path / "broken.png"
    broken.write_bytes((tmp_path / "a.png").read_bytes()[:60])
    out = f"out={tmp_path / 'out'}"
    assert "broken.png" in refused(
        "predict", f"model={base}", f"src={broken}", f"bgr={broken}", out
    )
    assert "select" in refused("eval", f"ckpt={base}", "select=full", *place)
    assert "sample_pixels=80000" in refused("predict", *pair, "preset=hd", "select=full")
