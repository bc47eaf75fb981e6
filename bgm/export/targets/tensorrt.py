"""ONNX within what TensorRT's parser takes; TensorRT itself is not run here."""

from pathlib import Path
from typing import ClassVar

from torch import nn

from bgm.errors import BadInput
from bgm.export.target import Runtimes
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.onnx_runtimes import open_onnx
from bgm.model import Sampling

MOST_PATCHES = 3840  # TensorRT's TopK: k is a constant of at most this
NEWEST_OPSET = 20


class TensorRtExport(OnnxExport):
    """An .onnx of one shape with a constant k and no operator whose result's shape hangs on data.

    Certified in onnxruntime, which says nothing of TensorRT's own arithmetic. See `OnnxExport`.
    """

    name: ClassVar[str] = "tensorrt"
    runtimes: ClassVar[Runtimes] = {"onnxruntime": open_onnx}
    precisions: ClassVar[tuple[str, ...]] = ("float32", "float16")
    shares_cells: ClassVar[bool] = False  # NonZero
    unsupported_ops: ClassVar[frozenset[str]] = OnnxExport.unsupported_ops | {"NonZero"}

    def check_request(self, net: nn.Module, out: Path) -> None:
        super().check_request(net, out)
        self.check_static(net)
        if self.opset > NEWEST_OPSET:
            raise BadInput(f"export=tensorrt takes opset up to {NEWEST_OPSET}, found {self.opset}")
        select, shape = self.method(net, "select"), self.shape
        if isinstance(select, Sampling) and shape is not None:
            patches = min(select.sample_pixels, shape.height * shape.width) // 16
            if patches > MOST_PATCHES:
                raise BadInput(
                    f"export=tensorrt: {select.sample_pixels} sample_pixels are {patches} patches, "
                    f"expected at most {MOST_PATCHES}: sample_pixels={16 * MOST_PATCHES}"
                )
