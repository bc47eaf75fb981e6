"""Depthwise convolutions trained in bfloat16: the gradients of plain ones, the same keys."""

import pytest
import torch
from torch import nn

from bgm.model import MattingBase, efficientnet_lite0, mobilenetv2, resnet50
from bgm.train.callbacks.quick_depthwise import forward, joined, phases, quick_depthwise


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (5, 5)])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [
        (3, 1, 1, 1),
        (5, 1, 2, 1),
        (3, 2, 0, 1),
        (5, 2, 1, 1),
        (3, 1, 2, 2),
        (5, 1, 4, 2),
        (3, 1, 3, 3),
    ],
)
def test_gradients_are_those_of_the_convolution(kernel, stride, padding, dilation, size):
    torch.manual_seed(0)
    options = (6, 6, kernel, stride, padding, dilation, 6, False)
    quick, plain = nn.Conv2d(*options), nn.Conv2d(*options)
    plain.load_state_dict(quick.state_dict())
    x = torch.randn(2, 6, *size).bfloat16().float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = forward(quick, x)
    assert y.dtype == torch.bfloat16
    with torch.no_grad():  # what autocast computes with
        plain.weight.copy_(plain.weight.bfloat16().float())
    expected = plain(x)
    assert (y.float() - expected).abs().max() < 0.02
    gradient = torch.randn_like(expected).bfloat16().float()
    found = torch.autograd.grad(y, [x, quick.weight], gradient.bfloat16())
    true = torch.autograd.grad(expected, [x, plain.weight], gradient)
    for one, other in zip(found, true, strict=True):
        assert (one - other).abs().max() < 0.01 * other.abs().max()


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_lattices_are_put_together_again(size):
    x = torch.randn(2, 3, *size)
    assert torch.equal(joined(phases(x, 2), 2, *size), x)


def test_outside_autocast_it_is_the_convolution_to_the_bit():
    conv = nn.Conv2d(4, 4, 5, 1, 2, 1, 4, bias=False)
    x = torch.randn(1, 4, 9, 9)
    assert torch.equal(forward(conv, x), conv(x))


@pytest.mark.parametrize("backbone", [efficientnet_lite0, mobilenetv2, resnet50])
def test_networks_keep_their_weights_and_keys(backbone):
    net = MattingBase(backbone()).eval()
    before = net.state_dict()
    count = quick_depthwise(net)
    assert (count > 0) == (backbone is not resnet50)
    assert list(net.state_dict()) == list(before)
    assert all(
        a.data_ptr() == b.data_ptr()
        for a, b in zip(net.state_dict().values(), before.values(), strict=True)
    )
