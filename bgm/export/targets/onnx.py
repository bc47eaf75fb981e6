"""ONNX: one .onnx file, from torch.export's graph or, for old opsets, from TorchScript's."""

import warnings
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.prepare import refiner_of
from bgm.export.runtime import INPUTS, Exported, imported
from bgm.export.target import Target
from bgm.export.targets.graphs import example, free_axes
from bgm.export.targets.onnx_runtimes import RUNTIMES, THRESHOLD
from bgm.export.targets.placement import placement
from bgm.export.targets.quantise import quantised
from bgm.export.targets.tracing import OLDEST, ThresholdBuffer, refuse_tracing, traced
from bgm.model import Thresholding
from bgm.types import Coarse, Refined

OLDEST_EXPORTED = 18  # torch's newer exporter writes 18 when asked for less


class OnnxExport(Target):
    """One .onnx file with its weights inside; batch, height and width (multiples of 4) are free.

    opset: 11 or newer; the file has exactly this one. Below 18 PyTorch's older, tracing exporter
    writes it, which wants a fixed shape. runtime: what runs the proof: onnxruntime, openvino or
    reference (the onnx package's own evaluator: slow). threshold_input: thresholding takes its
    threshold from a third input, refine_threshold, that need not be given. The rest: see `Target`.
    """

    name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    runtime: ClassVar[str] = "onnxruntime"
    precisions: ClassVar[tuple[str, ...]] = ("float32", "float16", "int8")
    # No selection needs control flow, and OpenVINO, TensorRT and mobile runtimes stumble over it.
    refused: ClassVar[frozenset[str]] = frozenset({"If", "Loop", "Scan"})

    def __init__(
        self,
        opset: int = OLDEST_EXPORTED,
        runtime: str = "onnxruntime",
        threshold_input: bool = False,
        **shared: Any,
    ):
        super().__init__(**shared)
        if opset < OLDEST:
            raise BadInput(f"opset {opset} cannot be written, expected {OLDEST} or newer")
        if runtime not in RUNTIMES:
            raise BadInput(f"runtime {runtime} is none of {', '.join(RUNTIMES)}")
        self.opset, self.runtime, self.threshold_input = int(opset), runtime, threshold_input

    def refuse(self, net: nn.Module, out: Path) -> None:
        super().refuse(net, out)
        for name in (
            "onnx",
            "onnxscript",
            "onnxruntime",
            self.runtime.replace("reference", "onnx"),
        ):
            imported(name)
        if self.precision == "int8" and self.calibration is None:
            raise BadInput(
                "precision=int8 needs pictures to calibrate with: name a data=... config"
            )
        select = self.select or getattr(refiner_of(net), "select", None)
        if self.threshold_input and not isinstance(select, Thresholding):
            raise BadInput("threshold_input=true is for select=thresholding")
        if self.opset < OLDEST_EXPORTED:
            refiner = None if self.part == "base" else refiner_of(net)
            refuse_tracing(self.opset, self.shape, refiner and (self.crop or refiner.crop))
            if self.threshold_input:
                raise BadInput(f"threshold_input=true needs opset 18, found {self.opset}")

    def prepare(self, truth: nn.Module) -> nn.Module:
        net = super().prepare(truth)
        if self.threshold_input:
            refiner_of(net).select = ThresholdBuffer(refiner_of(net).select.threshold)
        return net

    def write(self, net: nn.Module, path: Path, about: dict[str, str]) -> None:
        about = about | {"opset": str(self.opset)}
        if self.threshold_input:
            about[THRESHOLD] = f"{float(refiner_of(net).select.threshold):.7g}"
        with TemporaryDirectory(dir=path.parent) as folder:
            floats = Path(folder, "floats.onnx")
            self.write_floats(net, floats, about)
            found = self.refused & operator_counts(floats).keys()
            if found:
                raise BadInput(
                    f"the graph holds {', '.join(sorted(found))}, expected none of these"
                )
            if self.precision == "int8":
                quantised(floats, path, self.calibration, self.shape)
            else:
                floats.replace(path)

    def write_floats(self, net: nn.Module, path: Path, about: dict[str, str]) -> None:
        inputs = example(self.shape, next(net.parameters()).dtype)
        outputs = (Coarse if refiner_of(net) is None else Refined)._fields
        if self.opset < OLDEST_EXPORTED:
            traced(net, inputs, outputs, self.opset, about, path)
            return
        with warnings.catch_warnings():
            # src and bgr share their axes, which the exporter notes for the second of them.
            warnings.filterwarnings("ignore", message="# The axis name: .* will not be used")
            program = torch.onnx.export(
                net,
                inputs,
                dynamo=True,
                verbose=False,
                opset_version=self.opset,
                input_names=list(INPUTS),
                output_names=list(outputs),
                dynamic_shapes=free_axes(self.shape),
            )
        assert program is not None  # only the TorchScript-based exporter returns none
        model = program.model
        if self.threshold_input:
            offer_as_input(model.graph, "refiner.select.threshold", THRESHOLD)
        written = model.opset_imports.get("")
        if written != self.opset:
            raise BadInput(f"opset {self.opset} cannot be written: torch wrote {written} instead")
        model.metadata_props.update(about)
        program.save(path)

    def open(self, path: Path) -> Exported:
        return RUNTIMES[self.runtime](path)

    def operators(self, path: Path) -> dict[str, int]:
        return operator_counts(path)

    def placement(self, path: Path, src: Tensor, bgr: Tensor) -> dict[str, dict[str, int]]:
        return placement(path, src, bgr) if self.runtime == "onnxruntime" else {}


def offer_as_input(graph: Any, initializer: str, name: str) -> None:
    """Make a stored number of the graph an input whose default it is (ONNX since IR version 4)."""
    value = graph.initializers.pop(initializer)
    value.name = name
    graph.register_initializer(value)
    graph.inputs.append(value)


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
