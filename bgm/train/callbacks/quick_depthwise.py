"""Depthwise convolutions whose backward pass a CPU does well: in float32, and never dilated."""

from functools import partial

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def phases(x: Tensor, step: int) -> Tensor:
    """(B, C, H, W) -> (step * step * B, C, ceil(H / step), ceil(W / step)): its coarse lattices."""
    if step == 1:
        return x
    H, W = x.shape[-2:]
    x = F.pad(x, (0, -W % step, 0, -H % step))
    parts = [x[:, :, i::step, j::step] for i in range(step) for j in range(step)]
    return torch.cat(parts).contiguous(memory_format=torch.channels_last)


def joined(parts: Tensor, step: int, height: int, width: int) -> Tensor:
    """The picture (B, C, height, width) whose lattices `phases` gave."""
    if step == 1:
        return parts
    _, C, h, w = parts.shape
    x = parts.reshape(step, step, -1, C, h, w).permute(2, 4, 0, 5, 1, 3)
    x = x.reshape(-1, h * step, w * step, C)[:, :height, :width]
    return x.permute(0, 3, 1, 2)


def forward(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """What a square depthwise convolution without bias makes of x, on a CPU in bfloat16 as well.

    oneDNN has no bfloat16 backward for filters of 5x5, for stride 2 and for dilation but a loop
    in plain C++: 61 ms for 8x1152x8x8, dilation 2, where float32 on lattices takes 9 (torch 2.15,
    one core). Inputs, weights and outputs are rounded as autocast rounds them.
    """
    if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return nn.Conv2d.forward(conv, x)
    dtype = torch.get_autocast_dtype("cpu")
    stride, padding, dilation = conv.stride[0], int(conv.padding[0]), conv.dilation[0]
    border = 2 * padding - dilation * (conv.kernel_size[0] - 1)
    H, W = (n + border for n in x.shape[-2:])
    x, weight = (part.to(dtype).float() for part in (x, conv.weight))
    with torch.autocast("cpu", enabled=False):
        x = phases(x, dilation)  # every `dilation`th row and column is a picture by itself
        y = F.conv2d(x, weight, None, stride, padding // dilation, 1, conv.groups)
    return joined(y, dilation, H, W).to(dtype)


def quick_depthwise(net: nn.Module) -> int:
    """Let the depthwise convolutions of net that oneDNN is slow at compute as `forward`; how many.

    Those of 5x5, strided or dilated. Weights and keys stay.
    """
    slow = [conv for conv in net.modules() if type(conv) is nn.Conv2d and is_slow(conv)]
    for conv in slow:
        conv.forward = partial(forward, conv)  # type: ignore[method-assign]
    return len(slow)


def is_slow(conv: nn.Conv2d) -> bool:
    """Whether it is a depthwise convolution whose backward pass oneDNN has in plain C++ only."""
    depthwise = conv.groups == conv.in_channels == conv.out_channels > 1 and conv.bias is None
    square = len({*conv.kernel_size}) == len({*conv.stride}) == len({*conv.dilation}) == 1
    fits = int(conv.padding[0]) % conv.dilation[0] == 0 and conv.padding_mode == "zeros"
    cost = conv.kernel_size[0] > 3 or conv.stride[0] > 1 or conv.dilation[0] > 1
    return depthwise and square and fits and cost and min(conv.stride[0], conv.dilation[0]) == 1


class QuickDepthwise(pl.Callback):
    """Train with `quick_depthwise` where that helps: on a CPU, in bfloat16."""

    def on_fit_start(self, trainer, module) -> None:
        if trainer.strategy.root_device.type == "cpu" and trainer.precision == "bf16-mixed":
            quick_depthwise(module.network)
