"""Networks into files of other runtimes, each proved equal to its network, and back again."""

from bgm.export.aoti import AotiExport, open_aoti
from bgm.export.certificate import Certificate, Exam, Judge
from bgm.export.check import Report, check
from bgm.export.compare import Trial
from bgm.export.executorch import ExecuTorchExport, open_executorch
from bgm.export.metadata import card
from bgm.export.ncnn import NcnnExport, open_ncnn
from bgm.export.onnx import OnnxExport
from bgm.export.onnxruntimes import open_onnx, open_openvino, open_reference
from bgm.export.openvino import OpenVinoExport
from bgm.export.pt2 import Pt2Export, open_pt2
from bgm.export.runtime import Exported
from bgm.export.target import Target
from bgm.export.tensorrt import TensorRtExport
from bgm.export.torchscript import TorchScriptExport, open_torchscript

__all__ = [
    "AotiExport",
    "Certificate",
    "Exam",
    "ExecuTorchExport",
    "Exported",
    "Judge",
    "NcnnExport",
    "OnnxExport",
    "OpenVinoExport",
    "Pt2Export",
    "Report",
    "Target",
    "TensorRtExport",
    "TorchScriptExport",
    "Trial",
    "card",
    "check",
    "open_aoti",
    "open_executorch",
    "open_ncnn",
    "open_onnx",
    "open_openvino",
    "open_pt2",
    "open_reference",
    "open_torchscript",
]
