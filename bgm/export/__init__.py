"""Networks into files of other runtimes, each proved equal to its network, and back again."""

from bgm.export.certify.certificate import Certificate, Exam, Judge
from bgm.export.certify.check import Report, check
from bgm.export.certify.compare import Trial
from bgm.export.metadata import card
from bgm.export.runtime import Exported
from bgm.export.target import Target
from bgm.export.targets.aoti import AotiExport, open_aoti
from bgm.export.targets.executorch import ExecuTorchExport, open_executorch
from bgm.export.targets.ncnn import NcnnExport, open_ncnn
from bgm.export.targets.onnx import OnnxExport
from bgm.export.targets.onnx_runtimes import open_onnx, open_openvino, open_reference
from bgm.export.targets.openvino import OpenVinoExport
from bgm.export.targets.pt2 import Pt2Export, open_pt2
from bgm.export.targets.tensorrt import TensorRtExport
from bgm.export.targets.torchscript import TorchScriptExport, open_torchscript

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
