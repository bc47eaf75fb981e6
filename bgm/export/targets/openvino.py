"""OpenVINO's own format: an .xml and, beside it, a .bin with the weights."""

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import torch
from torch import nn

from bgm.export.runtime import require_package
from bgm.export.target import Runtimes
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.onnx_runtimes import open_openvino, openvino_core


class OpenVinoExport(OnnxExport):
    """NAME.xml and NAME.bin, converted from ONNX. See `OnnxExport`.

    float16 halves the stored weights only: src, bgr and the outputs stay float32, and the device
    computes in the precision that its reader asks for.
    """

    name: ClassVar[str] = "openvino"
    suffix: ClassVar[str] = ".xml"
    runtimes: ClassVar[Runtimes] = {"openvino": open_openvino}
    packages: ClassVar[tuple[str, ...]] = (*OnnxExport.packages, "openvino")

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def write(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        ov = require_package("openvino")
        with TemporaryDirectory(dir=path.parent) as folder:
            onnx = Path(folder, "model.onnx")
            super().write(net, onnx, metadata)
            model = openvino_core().read_model(onnx)
            model.set_rt_info(json.dumps(metadata | {"opset": str(self.opset)}), ["bgm"])
            # read_model maps the .onnx: save before its folder goes.
            ov.save_model(model, path, compress_to_fp16=self.precision == "float16")

    @classmethod
    def files(cls, path: Path) -> list[Path]:
        return [path, path.with_suffix(".bin")]

    def operators(self, path: Path) -> dict[str, int]:
        model = openvino_core().read_model(path)
        return dict(sorted(Counter(x.get_type_name() for x in model.get_ops()).items()))
