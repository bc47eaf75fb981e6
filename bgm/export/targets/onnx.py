"""ONNX: one .onnx file, from torch.export's graph or, for old opsets, from a trace."""

import warnings
from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch
from torch import nn

from bgm.errors import BadInput, first_line
from bgm.export.cells_refiner import SharedCells
from bgm.export.runtime import INPUTS, require_package
from bgm.export.target import Runtimes, Target
from bgm.export.targets.eight_bit_weights import store_in_eight_bits
from bgm.export.targets.graphs import example_inputs, free_axes
from bgm.export.targets.onnx_runtimes import THRESHOLD, open_onnx, open_openvino, open_reference
from bgm.export.targets.quantise import quantise
from bgm.model import Thresholding, UnfoldCrop
from bgm.model.patches import refiner_of
from bgm.types import Coarse, Refined

OLDEST = 11
OLDEST_EXPORTED = 18  # torch's newer exporter writes 18 when asked for less
OLDEST_ONNXRUNTIME = "1.14.1"  # that runs opset 18 to the bit; 1.13.1 refuses it


class ThresholdBuffer(Thresholding):
    """Thresholding whose number is a tensor, which a graph keeps as a stored value of its own."""

    def __init__(self, threshold: float):
        nn.Module.__init__(self)
        self.register_buffer("threshold", torch.tensor(threshold))


class OnnxExport(Target):
    """One .onnx file with its weights inside; batch, height and width (multiples of 4) are free.

    opset: 11 or newer; the file has exactly this one. Below 18 PyTorch's older, tracing exporter
    writes it, which wants a fixed shape. runtime: what the file is certified in: onnxruntime,
    openvino, openvino_bfloat16 or reference (the onnx package's own evaluator: slow).
    threshold_input: thresholding takes its threshold from a third input, refine_threshold, that
    need not be given. The rest: see `Target`.
    """

    name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    runtimes: ClassVar[Runtimes] = {
        "onnxruntime": open_onnx,
        "openvino": open_openvino,
        "openvino_bfloat16": partial(open_openvino, precision="bfloat16"),
        "reference": open_reference,
    }
    packages: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")
    precisions: ClassVar[tuple[str, ...]] = ("float32", "float16", "int8", "int8_weights")
    shares_cells: ClassVar[bool] = True
    # No selection needs control flow, and OpenVINO, TensorRT and mobile runtimes stumble over it.
    unsupported_ops: ClassVar[frozenset[str]] = frozenset({"If", "Loop", "Scan"})

    def __init__(
        self,
        opset: int = OLDEST_EXPORTED,
        runtime: str | None = None,
        threshold_input: bool = False,
        **shared: Any,
    ):
        super().__init__(**shared)
        if type(opset) is not int:
            raise BadInput(f"opset is {opset}, expected a whole number")
        if opset < OLDEST:
            raise BadInput(f"opset {opset} cannot be written, expected {OLDEST} or newer")
        self.opset, self.threshold_input = int(opset), threshold_input
        self.runtime = runtime or self.runtime
        if self.runtime not in self.runtimes:
            raise BadInput(f"runtime {runtime} is none of {', '.join(self.runtimes)}")

    def check_request(self, net: nn.Module, out: Path) -> None:
        super().check_request(net, out)
        if self.runtime.startswith("openvino"):
            require_package("openvino")
        if self.threshold_input and not isinstance(self.method(net, "select"), Thresholding):
            raise BadInput("threshold_input=true is for select=thresholding")
        if self.opset < OLDEST_EXPORTED:
            self.check_traceable(self.method(net, "crop"))

    def check_traceable(self, crop: nn.Module | None) -> None:
        """Raise BadInput for what PyTorch's older exporter would write wrongly.

        It freezes every Python number of the example, the number of patches that sampling takes
        among them, and it cannot write unfold after a padding.
        """
        if isinstance(crop, SharedCells):
            raise BadInput(f"crop=cells needs opset 18 or newer, found {self.opset}")
        if self.threshold_input:
            raise BadInput(f"threshold_input=true needs opset 18, found {self.opset}")
        tracing = f"opset {self.opset} is written by PyTorch's tracing exporter, which"
        if self.shape is None:
            raise BadInput(
                f"{tracing} freezes sizes: expected shape=[batch, height, width], or opset 18 or "
                "newer"
            )
        if isinstance(crop, UnfoldCrop):
            raise BadInput(
                f"{tracing} has no unfold: expected crop=roi_align or crop=gather, or opset 18 or "
                "newer"
            )

    def prepare(self, truth: nn.Module) -> nn.Module:
        net = super().prepare(truth)
        if self.threshold_input:
            refiner_of(net).select = ThresholdBuffer(refiner_of(net).select.threshold)
        return net

    def write(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        metadata = metadata | {"opset": str(self.opset)}
        if self.precision == "float32" and self.opset <= OLDEST_EXPORTED:
            metadata["oldest_onnxruntime"] = OLDEST_ONNXRUNTIME
        if self.threshold_input:
            metadata[THRESHOLD] = f"{float(refiner_of(net).select.threshold):.7g}"
        with TemporaryDirectory(dir=path.parent) as folder:
            floats = Path(folder, "floats.onnx")
            self.write_floats(net, floats, metadata)
            unsupported = self.unsupported_ops & count_operators(floats).keys()
            if unsupported:
                names = ", ".join(sorted(unsupported))
                raise BadInput(f"the graph holds {names}, expected none of these")
            if self.precision == "int8":
                quantise(floats, path, self.calibration or [], self.shape)
            elif self.precision == "int8_weights":
                store_in_eight_bits(floats, path)
            else:
                floats.replace(path)

    def write_floats(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        """Write net in the precision of its weights: as a graph, below opset 18 as a trace."""
        onnx = require_package("onnx")
        traced = self.opset < OLDEST_EXPORTED
        options: dict[str, Any] = (
            {} if traced else {"dynamic_shapes": free_axes(self.shape), "verbose": False}
        )
        try:
            with warnings.catch_warnings():
                # Tracing warns of each size that it freezes; else of axes that src and bgr share.
                warnings.filterwarnings("ignore", message="" if traced else "# The axis name: .*")
                program = torch.onnx.export(
                    net,
                    example_inputs(self.shape, next(net.parameters()).dtype),
                    path if traced else None,
                    dynamo=not traced,
                    opset_version=self.opset,
                    input_names=list(INPUTS),
                    output_names=list((Coarse if refiner_of(net) is None else Refined)._fields),
                    **options,
                )
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            if not traced:
                raise
            why = first_line(error)[:200]
            raise BadInput(f"opset {self.opset} cannot be written: {why}") from None
        if program is not None:
            if self.threshold_input:
                offer_as_input(program.model.graph, "refiner.select.threshold", THRESHOLD)
            program.save(path)
        model = onnx.load(path)
        written = next(x.version for x in model.opset_import if x.domain in ("", "ai.onnx"))
        if written != self.opset:
            raise BadInput(f"opset {self.opset} cannot be written: torch wrote {written} instead")
        # torch writes a newer one, which onnxruntime before 1.18 refuses to load.
        opset = onnx.helper.make_opsetid("", self.opset)
        model.ir_version = onnx.helper.find_min_ir_version_for([opset])
        onnx.helper.set_model_props(model, metadata)
        onnx.save(model, path)

    def operators(self, path: Path) -> dict[str, int]:
        return count_operators(path)


def offer_as_input(graph: Any, initializer: str, name: str) -> None:
    """Make a stored number of the graph an input whose default it is (ONNX since IR version 4)."""
    value = graph.initializers.pop(initializer)
    value.name = name
    graph.register_initializer(value)
    graph.inputs.append(value)


def count_operators(path: Path) -> dict[str, int]:
    """How often each operator occurs in an .onnx file, subgraphs and functions included."""
    onnx = require_package("onnx")
    model = onnx.load(path, load_external_data=False)
    counts: Counter[str] = Counter()
    graphs = [model.graph.node, *(function.node for function in model.functions)]
    while graphs:
        for node in graphs.pop():
            counts[node.op_type] += 1
            for attribute in node.attribute:
                graphs += [g.node for g in [attribute.g, *attribute.graphs] if g.node]
    return dict(counts)
