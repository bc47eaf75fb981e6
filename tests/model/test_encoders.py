"""What every encoder in conf/backbone must do."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from bgm.model import MattingBase
from bgm.model.encoders import Encoder, Pretrained

CONF = Path(__file__).parents[2] / "conf" / "backbone"
BACKBONES = sorted(path.stem for path in CONF.glob("*.yaml"))


def encoder(name):
    return instantiate(OmegaConf.load(CONF / f"{name}.yaml")).eval()


def test_all_are_there():
    assert {"efficientnet_lite0", "mobilenetv2", "resnet50", "resnet101"} <= set(BACKBONES)


@pytest.mark.parametrize("name", BACKBONES)
def test_taps_have_the_sizes_and_channels_that_it_publishes(name):
    net = encoder(name)
    assert isinstance(net, Encoder)
    for H, W in ((64, 96), (67, 50)):
        x = torch.rand(1, 6, H, W)
        before = x.clone()
        with torch.no_grad():
            taps = net(x)
        assert torch.equal(x, before)
        assert torch.equal(taps[0], x)
        assert [tap.shape[1] for tap in taps] == net.channels
        sizes = [(H, W)]
        for _ in range(4):
            sizes.append(tuple((n + 1) // 2 for n in sizes[-1]))
        assert [tuple(tap.shape[2:]) for tap in taps] == sizes


@pytest.mark.parametrize("name", BACKBONES)
def test_it_says_where_its_weights_come_from(name):
    found = encoder(name).imagenet()
    assert isinstance(found, Pretrained)
    assert bool(found.urls) != bool(found.package)
    assert all(url.startswith("https://") and url.endswith(".pth") for url in found.urls)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_parameter_is_in_a_block_or_in_front_of_them(name):
    net = MattingBase(encoder(name))
    blocks = {id(p) for block in net.backbone.blocks() for p in block.parameters()}
    rest = [n for n, p in net.backbone.named_parameters() if id(p) not in blocks]
    assert len(blocks) > 10 * len(rest)
    assert all(n.startswith(("conv1", "bn1")) for n in rest)
