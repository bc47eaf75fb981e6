"""Every backbone can be exported."""

import pytest

from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.torchscript import TorchScriptExport
from bgm.model import RoiAlignCrop, ScatterElementReplace, ScatterNdReplace, UnfoldCrop
from tests.model.test_encoders import BACKBONES, encoder
from tests.networks import refined, worst, write

LARGE = ("resnet",)
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name.startswith(LARGE) else [])
    for name in BACKBONES
]
SIZES = ((1, 64, 96), (2, 76, 116))


@pytest.mark.parametrize("name", NAMES)
def test_torchscript(name, tmp_path):
    net = refined(encoder(name)).eval()
    target = TorchScriptExport(crop=UnfoldCrop(), replace=ScatterNdReplace())
    assert worst(net, write(target, net, tmp_path / "net.pt"), *SIZES) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_onnx(name, tmp_path):
    net = refined(encoder(name)).eval()
    target = OnnxExport(crop=RoiAlignCrop(), replace=ScatterElementReplace())
    assert worst(net, write(target, net, tmp_path / "net.onnx"), *SIZES) < 1e-4
