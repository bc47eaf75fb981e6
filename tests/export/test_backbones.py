"""Every backbone can be exported."""

import pytest

from bgm.export import OnnxExport, TorchScriptExport
from bgm.model import RoiAlignCrop, ScatterElementReplace, ScatterNdReplace, UnfoldCrop
from tests.export.networks import refined
from tests.export.test_targets import BRIEF
from tests.model.test_encoders import BACKBONES, encoder

LARGE = ("resnet",)
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name.startswith(LARGE) else [])
    for name in BACKBONES
]


@pytest.mark.parametrize("name", NAMES)
def test_torchscript(name, tmp_path):
    target = TorchScriptExport(crop=UnfoldCrop(), replace=ScatterNdReplace())
    assert target(refined(encoder(name)), tmp_path / "net.pt", exam=BRIEF).largest < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_onnx(name, tmp_path):
    target = OnnxExport(crop=RoiAlignCrop(), replace=ScatterElementReplace())
    assert target(refined(encoder(name)), tmp_path / "net.onnx", exam=BRIEF).largest < 1e-4
