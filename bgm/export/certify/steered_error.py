"""A network whose predicted error can be read off the shot: err = the red of src."""

from typing import Any

import torch
from torch import nn

from bgm.export.prepare import copy_to_cpu

SKIP = 6  # the last channels that the decoder's last convolution sees: src and bgr as they came in


def steer_error(net: nn.Module) -> nn.Module:
    """A copy of a refined network that predicts err = src's red; all other weights are the same.

    Nobody can paint a picture on which a trained network predicts the error that one wants, and a
    file is not proved before it has met no error, error everywhere and error in one picture only.
    """
    copied: Any = copy_to_cpu(net)
    last = copied.base.decoder.conv4
    with torch.no_grad():
        weight, bias = last.weight.clone(), last.bias.clone()
        row, bias[4] = torch.zeros_like(weight[4]), 0.0
        row[-SKIP, 1, 1] = 1.0  # red is the first of them, 1, 1 the centre of 3x3
        weight[4] = row
    last.weight, last.bias = nn.Parameter(weight), nn.Parameter(bias)
    return copied
