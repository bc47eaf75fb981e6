"""Networks into files of other runtimes, each proved equal to its network, and back again."""

from bgm.export.certificate import Certificate, Exam, Judge
from bgm.export.check import Report, check
from bgm.export.compare import Trial
from bgm.export.metadata import card
from bgm.export.onnx import OnnxExport
from bgm.export.runtime import Exported, open_onnx, open_torchscript
from bgm.export.target import Target
from bgm.export.torchscript import TorchScriptExport

__all__ = [
    "Certificate",
    "Exam",
    "Exported",
    "Judge",
    "OnnxExport",
    "Report",
    "Target",
    "TorchScriptExport",
    "Trial",
    "card",
    "check",
    "open_onnx",
    "open_torchscript",
]
