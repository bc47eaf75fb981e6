"""Files that are not ours, and a runtime that is not there."""

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export import export_and_certify, open_exported
from bgm.export.certify.bytes_as_certified import certificate_of, check_certified
from bgm.export.targets.ncnn import NcnnExport
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.onnx_runtimes import open_onnx
from bgm.export.targets.torchscript import open_torchscript
from bgm.files import sha256
from bgm.types import Coarse
from tests.networks import tiny

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("opener", [open_onnx, open_torchscript])
def test_missing_and_broken_files_are_named(tmp_path, opener):
    with pytest.raises(BadInput, match=r"gone\.model does not exist"):
        opener(tmp_path / "gone.model")
    with pytest.raises(BadInput, match="does not exist or is no file"):
        opener(tmp_path)
    broken = tmp_path / "broken.model"
    broken.write_bytes(b"not a model" * 100)
    with pytest.raises(BadInput, match=r"broken\.model is no"):
        opener(broken)


def test_an_onnx_model_of_something_else_is_refused(tmp_path):
    picture = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    answer = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "relu", [picture], [answer])
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "m.onnx"
    )
    with pytest.raises(BadInput, match=r"m\.onnx is not a matting network: it does not say"):
        open_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize("name", ["m.pt2", "m.xml", "m.onnx", "m.pt", "m.nuke.pt", "m.pte"])
@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(99), b"<a>hello</a>"])
def test_files_of_something_else_are_one_sentence(tmp_path, capfd, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(BadInput, match=f"{name} (is no|is empty)") as caught:
        open_exported(file)
    assert "Exception from" not in str(caught.value)
    assert not capfd.readouterr().err


@pytest.mark.parametrize("changed", [".ncnn.param", ".ncnn.bin"])
def test_a_file_that_is_not_what_its_certificate_saw_is_refused(tmp_path, changed):
    """ncnn computes with any weights, OpenVINO ends the process: neither says anything."""
    for suffix in (".ncnn.param", ".ncnn.bin", ".ncnn.json"):
        Path(tmp_path, f"m{suffix}").write_bytes(b"7767517 of " + suffix.encode())
    model = tmp_path / "m.ncnn.param"
    files = [{"sha256": sha256(x)} for x in NcnnExport.files(model)]
    certificate_of(model).write_text(json.dumps({"files": files}))
    check_certified(NcnnExport.files(model))
    broken = Path(tmp_path, f"m{changed}")
    broken.write_bytes(broken.read_bytes().replace(b"7", b"8", 1))
    with pytest.raises(BadInput, match=rf"m{changed} is not the file that m\.ncnn\.param\.cert"):
        open_exported(model)
    broken.unlink()
    with pytest.raises(BadInput, match=rf"m{changed} does not exist"):
        open_exported(model)
    certificate_of(model).write_text("[]")
    with pytest.raises(BadInput, match="is no certificate"):
        open_exported(model)


SIGNAL_AFTER_MODELS = """
import signal, sys
from bgm.export import open_exported

signal.signal(signal.SIGTERM, lambda *_: print("handled"))
models = [open_exported(sys.argv[1], "openvino") for _ in range(3)]
while models:
    del models[0]  # the oldest first
signal.raise_signal(signal.SIGTERM)
"""


def test_a_signal_is_handled_after_models_of_openvino_have_gone(tmp_path):
    pytest.importorskip("openvino")
    float_, path = onnx.TensorProto.FLOAT, tmp_path / "m.onnx"
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Sub", ["src", "bgr"], [name]) for name in Coarse._fields],
        "difference",
        [onnx.helper.make_tensor_value_info(x, float_, [1, 3, 8, 8]) for x in ("src", "bgr")],
        [onnx.helper.make_tensor_value_info(x, float_, [1, 3, 8, 8]) for x in Coarse._fields],
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    command = [sys.executable, "-c", SIGNAL_AFTER_MODELS, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


class Sum(nn.Module):
    def forward(self, src: Tensor, bgr: Tensor) -> Tensor:
        return src + bgr


def test_a_torchscript_program_of_something_else_is_refused(tmp_path):
    torch.jit.script(Sum()).save(str(tmp_path / "m.pt"))
    with pytest.raises(BadInput, match=r"m\.pt is not a matting network"):
        open_torchscript(tmp_path / "m.pt")


def test_a_missing_runtime_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BadInput, match=r"onnxruntime is not installed: .* 'bgm-matting\[export\]'"):
        open_onnx(tmp_path / "m.onnx")
    with pytest.raises(BadInput, match=r"bgm-matting\[export\]"):
        export_and_certify(OnnxExport(), tiny(), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
