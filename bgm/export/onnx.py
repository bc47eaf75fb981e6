"""ONNX through the torch.export-based exporter, proved in onnxruntime."""

import warnings
from collections import Counter
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.export import Dim

from bgm.errors import BadInput
from bgm.export.placement import placement
from bgm.export.prepare import refiner_of
from bgm.export.runtime import INPUTS, Exported, imported, open_onnx
from bgm.export.target import Target
from bgm.types import Coarse, Refined

OLDEST_OPSET = 18  # torch's exporter writes 18 when asked for less


class OnnxExport(Target):
    """One .onnx file with its weights inside; batch, height and width (multiples of 4) are free.

    opset: 18 or newer; the file has exactly this one. The rest: see `Target`.
    """

    name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    runtime: ClassVar[str] = "onnxruntime"

    def __init__(self, opset: int = OLDEST_OPSET, **shared):
        super().__init__(**shared)
        if opset < OLDEST_OPSET:
            raise BadInput(f"opset {opset} cannot be written, expected {OLDEST_OPSET} or newer")
        self.opset = int(opset)

    def refuse(self, net: nn.Module, out: Path) -> None:
        super().refuse(net, out)
        for name in ("onnx", "onnxscript", "onnxruntime"):
            imported(name)

    def write(self, net: nn.Module, path: Path, about: dict[str, str]) -> None:
        # Big enough that no size inside is 1, which torch.export would take for a constant.
        example = (torch.rand(2, 3, 320, 384), torch.rand(2, 3, 320, 384))
        axes = {0: Dim("batch"), 2: 4 * Dim("height_4", min=4), 3: 4 * Dim("width_4", min=4)}
        with warnings.catch_warnings():
            # src and bgr share their axes, which the exporter notes for the second of them.
            warnings.filterwarnings("ignore", message="# The axis name: .* will not be used")
            program = torch.onnx.export(
                net,
                example,
                dynamo=True,
                verbose=False,
                opset_version=self.opset,
                input_names=list(INPUTS),
                output_names=list((Coarse if refiner_of(net) is None else Refined)._fields),
                dynamic_shapes=(axes, axes),
            )
        assert program is not None  # only the TorchScript-based exporter returns none
        written = program.model.opset_imports.get("")
        if written != self.opset:
            raise BadInput(f"opset {self.opset} cannot be written: torch wrote {written} instead")
        program.model.metadata_props.update(about | {"opset": str(written)})
        program.save(path)

    def open(self, path: Path) -> Exported:
        return open_onnx(path)

    def operators(self, path: Path) -> dict[str, int]:
        return operator_counts(path)

    def placement(self, path: Path, src: Tensor, bgr: Tensor) -> dict[str, dict[str, int]]:
        return placement(path, src, bgr)


def operator_counts(path: Path) -> dict[str, int]:
    """How often each operator occurs in an .onnx file, subgraphs and functions included."""
    onnx = imported("onnx")
    model = onnx.load(path, load_external_data=False)
    counts: Counter[str] = Counter()
    graphs = [model.graph.node, *(function.node for function in model.functions)]
    while graphs:
        for node in graphs.pop():
            counts[node.op_type] += 1
            for attribute in node.attribute:
                graphs += [g.node for g in [attribute.g, *attribute.graphs] if g.node]
    return dict(counts)
