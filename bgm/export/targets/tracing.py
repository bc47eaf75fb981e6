"""ONNX through PyTorch's older exporter: opsets 11 to 17, one fixed shape each."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.runtime import INPUTS, first_line, require_package
from bgm.export.shapes import Shape
from bgm.model import Thresholding, UnfoldCrop

OLDEST = 11


class ThresholdBuffer(Thresholding):
    """Thresholding whose number is a tensor, which a graph keeps as a stored value of its own."""

    def __init__(self, threshold: float):
        nn.Module.__init__(self)
        self.register_buffer("threshold", torch.tensor(threshold))


def check_traceable(opset: int, shape: Shape | None, crop: nn.Module | None) -> None:
    """Raise BadInput for what the older exporter would write wrongly.

    It freezes every Python number of the example, the number of patches that sampling takes among
    them, and it cannot write unfold after a padding.
    """
    if shape is None:
        raise BadInput(
            f"opset {opset} is written by PyTorch's tracing exporter, which freezes sizes: "
            "expected shape=[batch, height, width], or opset 18 or newer"
        )
    if isinstance(crop, UnfoldCrop):
        raise BadInput(
            f"opset {opset} is written by PyTorch's tracing exporter, which has no unfold: expected"
            " crop=roi_align or crop=gather, or opset 18 or newer"
        )


def trace_to_onnx(
    net: nn.Module,
    inputs: tuple[Tensor, Tensor],
    outputs: Sequence[str],
    opset: int,
    metadata: dict[str, str],
    path: Path,
) -> None:
    """Trace net with inputs and write path; raises BadInput when the file has another opset."""
    onnx = require_package("onnx")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of each Python number that it freezes
            torch.onnx.export(
                net,
                inputs,
                str(path),
                dynamo=False,
                opset_version=opset,
                input_names=list(INPUTS),
                output_names=list(outputs),
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise BadInput(f"opset {opset} cannot be written: {first_line(error)[:200]}") from None
    model = onnx.load(path)
    written = next(x.version for x in model.opset_import if x.domain in ("", "ai.onnx"))
    if written != opset:
        raise BadInput(f"opset {opset} cannot be written: torch wrote {written} instead")
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)
