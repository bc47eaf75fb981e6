"""Files that are not ours, and a runtime that is not there."""

import sys

import onnx
import pytest
import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export import export_and_certify
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.onnx_runtimes import open_onnx
from bgm.export.targets.torchscript import open_torchscript
from tests.networks import tiny


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
