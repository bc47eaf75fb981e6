"""OpenVINO's own format: an .xml and, beside it, a .bin with the weights."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch
from torch import nn

from bgm.export.runtime import Exported, imported
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.onnx_runtimes import open_openvino


class OpenVinoExport(OnnxExport):
    """NAME.xml and NAME.bin, converted from ONNX. See `OnnxExport`.

    float16 halves the stored weights only: src, bgr and the outputs stay float32, and the device
    computes in the precision that its reader asks for.
    """

    name: ClassVar[str] = "openvino"
    suffix: ClassVar[str] = ".xml"
    runtime: ClassVar[str] = "openvino"
    precisions: ClassVar[tuple[str, ...]] = ("float32", "float16", "int8")

    def __init__(self, **shared: Any):
        super().__init__(runtime="openvino", **shared)

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def write(self, net: nn.Module, path: Path, about: dict[str, str]) -> None:
        ov = imported("openvino")
        with TemporaryDirectory(dir=path.parent) as folder:
            onnx = Path(folder, "model.onnx")
            super().write(net, onnx, about)
            model = ov.Core().read_model(onnx)
            model.set_rt_info(json.dumps(about | {"opset": str(self.opset)}), ["bgm"])
            # read_model maps the .onnx: save before its folder goes.
            ov.save_model(model, path, compress_to_fp16=self.precision == "float16")

    def open(self, path: Path) -> Exported:
        return open_openvino(path)

    def files(self, path: Path) -> list[Path]:
        return [path, path.with_suffix(".bin")]

    def operators(self, path: Path) -> dict[str, int]:
        names = [x.get_type_name() for x in imported("openvino").Core().read_model(path).get_ops()]
        return {name: names.count(name) for name in sorted(set(names))}
