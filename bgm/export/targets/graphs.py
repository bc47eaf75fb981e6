"""The network as graphs of torch.export: example inputs, free axes, plain outputs."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from bgm.export.shapes import Shape


class PlainOutputs(nn.Module):
    """The same network with a plain tuple of outputs, so that a file needs no class of ours."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, src: Tensor, bgr: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.net(src, bgr))


def example_inputs(shape: Shape | None, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Pictures to trace with; for a free shape so big that no size inside is 1, a constant."""
    batch, height, width = shape or (2, 320, 384)
    generator = torch.Generator().manual_seed(0)
    src, bgr = torch.rand(2, batch, 3, height, width, generator=generator).to(dtype)
    return src, bgr


def free_axes(shape: Shape | None) -> tuple[dict[int, Any], dict[int, Any]] | None:
    """Batch, height and width (multiples of 4) of both inputs as torch.export has it."""
    if shape is not None:
        return None
    axes = {0: Dim("batch"), 2: 4 * Dim("height_4", min=4), 3: 4 * Dim("width_4", min=4)}
    return axes, axes


def export_graph(net: nn.Module, shape: Shape | None) -> ExportedProgram:
    """net, a prepared network, as a graph with inputs src, bgr and a plain tuple of outputs."""
    inputs = example_inputs(shape, next(net.parameters()).dtype)
    return torch.export.export(PlainOutputs(net).eval(), inputs, dynamic_shapes=free_axes(shape))
