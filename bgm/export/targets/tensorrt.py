"""ONNX within what TensorRT's parser takes; TensorRT itself is not run here."""

from pathlib import Path
from typing import ClassVar

from torch import nn

from bgm.errors import BadInput
from bgm.export.prepare import refiner_of
from bgm.export.targets.onnx import OnnxExport
from bgm.model import Sampling, Thresholding

MOST_PATCHES = 3840  # TensorRT's TopK: k is a constant of at most this
NEWEST_OPSET = 20


class TensorRtExport(OnnxExport):
    """An .onnx of one shape with a constant k and no operator whose result's shape hangs on data.

    Proved in onnxruntime, which says nothing of TensorRT's own arithmetic. See `OnnxExport`.
    """

    name: ClassVar[str] = "tensorrt"
    runtime: ClassVar[str] = "onnxruntime"
    precisions: ClassVar[tuple[str, ...]] = ("float32", "float16")
    refused: ClassVar[frozenset[str]] = OnnxExport.refused | {"NonZero"}

    def refuse(self, net: nn.Module, out: Path) -> None:
        super().refuse(net, out)
        if self.shape is None:
            raise BadInput("export=tensorrt needs a fixed shape=[batch, height, width]")
        if self.opset > NEWEST_OPSET:
            raise BadInput(f"export=tensorrt takes opset up to {NEWEST_OPSET}, found {self.opset}")
        select = self.select or getattr(refiner_of(net), "select", None)
        if self.part == "base" or select is None:
            return
        if isinstance(select, Thresholding):
            raise BadInput(
                "export=tensorrt: thresholding refines a number of patches that hangs on the"
                " picture (NonZero); use select=sampling, select=full or part=base"
            )
        patches = self.shape.height * self.shape.width // 16
        if isinstance(select, Sampling) and min(select.sample_pixels // 16, patches) > MOST_PATCHES:
            raise BadInput(
                f"export=tensorrt: {select.sample_pixels} sample_pixels are "
                f"{min(select.sample_pixels // 16, patches)} patches, expected at most "
                f"{MOST_PATCHES}: select=sampling select.sample_pixels={16 * MOST_PATCHES}"
            )
