"""The configs and the script: defaults of each target, overrides, exit code 1."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from hydra.utils import instantiate

from bgm.cli.show import read_facts
from bgm.errors import Stopped
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.torchscript import TorchScriptExport, open_torchscript
from bgm.export.tolerances import PRECISIONS
from bgm.model import Sampling
from bgm.paths import conf_dir, script_path
from bgm.weights import write_safetensors
from tests.networks import mobile, tiny, worst, write


def composed(*overrides):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return instantiate(compose("export", overrides=["ckpt=a.ckpt", *overrides]).export)


def names(target):
    return [type(x).__name__ for x in (target.crop, target.replace, target.select)]


@pytest.mark.parametrize(
    ("overrides", "kind", "methods"),
    [
        ([], OnnxExport, ["RoiAlignCrop", "ScatterElementReplace", "NoneType"]),
        (
            ["export=torchscript"],
            TorchScriptExport,
            ["SharedCells", "ScatterNdReplace", "NoneType"],
        ),
        (
            ["crop=gather", "replace=scatter_nd", "select=thresholding"],
            OnnxExport,
            ["GatherCrop", "ScatterNdReplace", "Thresholding"],
        ),
        (["crop=cells"], OnnxExport, ["SharedCells", "ScatterElementReplace", "NoneType"]),
        (
            ["export=torchscript", "crop=roi_align", "replace=scatter_element", "select=full"],
            TorchScriptExport,
            ["RoiAlignCrop", "ScatterElementReplace", "Full"],
        ),
    ],
)
def test_each_target_brings_its_methods_and_the_user_overrides(overrides, kind, methods):
    target = composed(*overrides)
    assert type(target) is kind
    assert names(target) == methods


def test_every_target_config_composes():
    for name in sorted(x.stem for x in Path(conf_dir(), "export").glob("*.yaml")):
        target = composed(f"export={name}", "licence=CC BY 4.0", "part=base")
        assert (target.name, target.tolerance) == (name, PRECISIONS["float32"])
        assert (target.licence, target.part) == ("CC BY 4.0", "base")


def test_the_options_of_the_command_line_arrive():
    target = composed("opset=17", "shape=[1,64,96]", "precision=float16", "runtime=openvino")
    assert (target.opset, target.shape, target.precision) == (17, (1, 64, 96), "float16")
    assert target.runtime == "openvino"
    assert composed("export=tensorrt").shape == (1, 1080, 1920)
    assert composed("export=pt2", "shape=[2,64,96]").shape == (2, 64, 96)
    with pytest.raises(HydraException, match="opset"):
        composed("export=torchscript", "opset=17")


@pytest.mark.parametrize(
    ("preset", "scale", "pixels"),
    [("hd", 1 / 4, 80_000), ("4k", 1 / 8, 320_000), ("photo", 1 / 4, 320_000)],
)
def test_presets_are_scale_and_pixels_in_every_program(preset, scale, pixels):
    target = composed(f"preset={preset}")
    assert (target.backbone_scale, target.select.sample_pixels) == (scale, pixels)
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        for script in ("predict", "eval"):
            cfg = compose(script, overrides=[f"preset={preset}"])
            assert (cfg.backbone_scale, cfg.sample_pixels) == (scale, pixels)


def test_every_program_has_the_same_words():
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        for script in ("predict", "eval", "export"):
            cfg = compose(script, overrides=["threshold=0.2", "kernel_size=3"])
            assert {"select", "sample_pixels", "backbone_scale"} < cfg.keys()
            assert (cfg.threshold, cfg.kernel_size) == (0.2, 3)


def test_words_of_the_command_line_beat_the_preset():
    target = composed("preset=4k", "sample_pixels=1600", "backbone_scale=0.5")
    assert (target.backbone_scale, target.select.sample_pixels) == (0.5, 1600)
    assert composed("preset=4k", "sample_pixels=null", "select=full").backbone_scale == 0.125
    with pytest.raises(HydraException, match=r"backbone_scale is 0\.75, expected a number"):
        composed("backbone_scale=0.75")


def test_a_file_has_the_scale_asked_for(tmp_path):
    net, target = tiny(), TorchScriptExport(backbone_scale=0.125, select=Sampling(320_000))
    run = write(target, net, tmp_path / "net.pt")
    assert run.metadata["backbone_scale"] == "0.125"
    net.refiner.select = Sampling(320_000)  # all patches: more pixels than there are
    assert worst(net.at_scale(0.125), run, (1, 64, 96)) < 1e-5
    assert read_facts(tmp_path / "net.pt")["presets"] == "4k and any that is asked for"


def test_selections_arrive():
    assert composed("sample_pixels=1600").select.sample_pixels == 1600
    assert composed("select=sampling", "sample_pixels=1600").select.sample_pixels == 1600
    assert composed("threshold=0.2").select.threshold == 0.2
    assert composed().select is None
    with pytest.raises(HydraException, match="preset brings sample_pixels"):
        composed("preset=hd", "select=full")


NETWORK = {
    "_target_": "bgm.model.MattingRefine",
    "base": {
        "_target_": "bgm.model.MattingBase",
        "backbone": {"_target_": "bgm.model.mobilenetv2"},
    },
    "refiner": {
        "_target_": "bgm.model.PatchRefiner",
        "select": {"_target_": "bgm.model.Sampling", "sample_pixels": 800},
    },
}


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs export.py in-process with a checkpoint, in an empty folder."""
    write_safetensors(tmp_path / "my (best), net=1.safetensors", mobile().state_dict(), NETWORK)
    monkeypatch.chdir(tmp_path)
    from bgm.cli.launch import command_line
    from export import main

    def run(*args):
        argv = ["export.py", "ckpt=my (best), net=1.safetensors", "export=torchscript"]
        argv += ["certify.grid=small", "certify.scenes=1", *args]
        monkeypatch.setattr(sys, "argv", argv)
        with command_line():
            main()

    return run


def test_the_script_writes_beside_the_checkpoint(command, tmp_path):
    command()
    assert sorted(x.name for x in tmp_path.iterdir()) == [
        "my (best), net=1.pt",
        "my (best), net=1.pt.certificate.json",
        "my (best), net=1.pt.certificate.md",
        "my (best), net=1.safetensors",
    ]
    assert len(open_torchscript("my (best), net=1.pt").metadata["checkpoint_sha256"]) == 64


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_export_is_one_sentence_and_leaves_nothing(tmp_path, number):
    words = ["ckpt=mobilenetv2", "export=torchscript", f"out={tmp_path / 'net.pt'}"]
    command = [sys.executable, script_path("export"), *words]
    run = subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True, cwd=tmp_path)
    assert "writing" in run.stdout.readline()
    while not any(tmp_path.iterdir()):  # its folder with what is written so far
        assert run.poll() is None
    run.send_signal(number)
    said, errors = run.communicate()
    assert run.returncode == Stopped.code
    assert re.search("stopped by (Ctrl-C|SIGTERM): .*the same command starts again", said)
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_a_failed_proof_is_exit_code_1_and_no_file(command, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        command("out=else/where.pt", "export.tolerance=1e-12")
    assert stopped.value.code == 1
    assert "allowed 1.0e-12" in capsys.readouterr().err
    assert not (tmp_path / "else").exists()


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (
            "kernel_size=1",
            ["has a refiner of kernel_size 3, found kernel_size=1"],
        ),
        (
            "export=onnx precision=int8 data=procedural certify.scenes=0",
            ["certify.scenes=0 leaves nothing that judges precision=int8"],
        ),
        ("export=torchscript certify.scenes=-1", ["certify has scenes -1, expected scenes >= 0"]),
        ("part=base kernel_size=3", ["part=base of my (best)", "has no refiner"]),
        ("preset=[hd,4k]", ["preset=[hd,4k]: expected one preset, not a list"]),
        ("export=[onnx,pt2]", ["expected one export, not a list"]),
        (
            "export=onnx precision=int8 data=procedural select=full",
            ["precision=int8 is for select=sampling"],
        ),
        ("export=teapot", ["export=teapot is none of aoti, ", "torchscript"]),
    ],
)
def test_what_cannot_be_written_is_one_sentence(words, sentences, command, tmp_path, capsys):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit) as stopped:
        command(*words.split())
    assert stopped.value.code == 1
    said = capsys.readouterr().err
    assert all(sentence in said for sentence in sentences)
    assert sorted(tmp_path.iterdir()) == before


def test_an_export_does_not_take_the_place_of_its_checkpoint(tmp_path, monkeypatch, capsys):
    checkpoint = tmp_path / "net.pt"  # export=torchscript writes net.pt beside net.pt
    torch.save({"state_dict": mobile().state_dict(), "bgm": {"network": NETWORK}}, checkpoint)
    before = checkpoint.read_bytes()
    from bgm.cli.launch import command_line
    from export import main

    argv = ["export.py", f"ckpt={checkpoint}", "export=torchscript", "certify.grid=small"]
    monkeypatch.setattr(sys, "argv", [*argv, "certify.scenes=1"])
    with pytest.raises(SystemExit) as stopped, command_line():
        main()
    assert stopped.value.code == 1
    assert "net.pt would take the place of ckpt=" in capsys.readouterr().err
    assert checkpoint.read_bytes() == before
