"""The configs and the script: defaults of each target, overrides, exit code 1."""

import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from hydra.utils import instantiate

from bgm.export import OnnxExport, TorchScriptExport, open_torchscript
from bgm.paths import conf_dir
from bgm.weights import write_safetensors
from tests.export.networks import mobile


def composed(*overrides):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return instantiate(compose("export", overrides=["ckpt=a.ckpt", *overrides]).export)


def names(target):
    return [type(x).__name__ for x in (target.crop, target.replace, target.select)]


@pytest.mark.parametrize(
    ("overrides", "kind", "methods"),
    [
        ([], OnnxExport, ["RoiAlignCrop", "ScatterElementReplace", "NoneType"]),
        (["export=torchscript"], TorchScriptExport, ["UnfoldCrop", "ScatterNdReplace", "NoneType"]),
        (
            ["crop=gather", "replace=scatter_nd", "select=thresholding"],
            OnnxExport,
            ["GatherCrop", "ScatterNdReplace", "Thresholding"],
        ),
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
    listed = sorted(x.stem for x in Path(conf_dir(), "export").glob("*.yaml"))
    assert listed == [
        "aoti",
        "executorch",
        "ncnn",
        "onnx",
        "openvino",
        "pt2",
        "tensorrt",
        "torchscript",
    ]
    for name in listed:
        target = composed(f"export={name}", "licence=CC BY 4.0", "part=base")
        assert (target.name, target.tolerance) == (name, 1e-4)
        assert (target.licence, target.part) == ("CC BY 4.0", "base")


def test_the_options_of_the_command_line_arrive():
    target = composed("opset=17", "shape=[1,64,96]", "precision=float16", "runtime=openvino")
    assert (target.opset, target.shape, target.precision) == (17, (1, 64, 96), "float16")
    assert target.runtime == "openvino"
    assert composed("export=tensorrt").shape == (1, 1080, 1920)
    assert composed("export=pt2", "shape=[2,64,96]").shape == (2, 64, 96)
    with pytest.raises(HydraException, match="opset"):
        composed("export=torchscript", "opset=17")


def test_selections_arrive():
    assert composed("select=sampling", "select.sample_pixels=1600").select.sample_pixels == 1600


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
        argv += ["certify.grid=brief", "certify.scenes=1", *args]
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


def test_a_failed_proof_is_exit_code_1_and_no_file(command, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        command("out=else/where.pt", "export.tolerance=1e-12")
    assert stopped.value.code == 1
    assert "allowed 1.0e-12" in capsys.readouterr().err
    assert not list((tmp_path / "else").iterdir())


def test_an_unknown_target_names_the_known_ones(command, tmp_path, capsys):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit) as stopped:
        command("export=teapot")
    assert stopped.value.code == 1
    said = capsys.readouterr().err
    assert "export=teapot is none of aoti, " in said
    assert "torchscript" in said
    assert sorted(tmp_path.iterdir()) == before
