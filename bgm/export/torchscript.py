"""TorchScript: one .pt file for libtorch and for PyTorch without this package."""

import json
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from bgm.export.runtime import CARD, Exported, deprecation_known, open_torchscript
from bgm.export.target import Target


class TorchScriptExport(Target):
    """A scripted (not traced) program: every size, batch, device and branch stays. See `Target`."""

    name: ClassVar[str] = "torchscript"
    suffix: ClassVar[str] = ".pt"
    runtime: ClassVar[str] = "libtorch"

    def write(self, net: nn.Module, path: Path, about: dict[str, str]) -> None:
        with deprecation_known():
            program = torch.jit.script(net)
            torch.jit.save(program, str(path), _extra_files={CARD: json.dumps(about)})

    def open(self, path: Path) -> Exported:
        return open_torchscript(path)
