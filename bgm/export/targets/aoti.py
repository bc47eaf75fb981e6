"""AOTInductor: the network compiled to machine code in a .pt2 package, for PyTorch and C++."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from bgm.errors import BadInput
from bgm.export.runtime import Exported, opening
from bgm.export.target import Runtimes, Target
from bgm.export.targets.graphs import export_graph

# PyTorch documents these two functions for users, and has no other name for them.
from torch._inductor import aoti_compile_and_package, aoti_load_package  # isort: skip


def open_aoti(path: str | Path, device: str | torch.device = "cpu") -> Exported:
    """Open a package of AOTInductor on the kind of processor that it was compiled for."""
    with opening(path, "package of AOTInductor") as file:
        program = aoti_load_package(str(file))
        metadata = json.loads(program.get_metadata().get("bgm", "{}"))
    return Exported(program, metadata, path)


class AotiExport(Target):
    """One .aoti.pt2 file, compiled for the processor that it is written on. See `Target`.

    Wants a C++ compiler: the one that the environment variable CXX names, or g++.
    """

    name: ClassVar[str] = "aoti"
    suffix: ClassVar[str] = ".aoti.pt2"
    runtimes: ClassVar[Runtimes] = {"AOTInductor": open_aoti}
    shares_cells: ClassVar[bool] = True

    def check_request(self, net: nn.Module, out: Path) -> None:
        super().check_request(net, out)
        compiler = os.environ.get("CXX", "g++")
        if shutil.which(compiler) is None:
            raise BadInput(
                f"export=aoti compiles C++, and there is no {compiler}: install one, or name yours"
                " in the environment variable CXX"
            )

    def write(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        configs: dict[str, Any] = {"aot_inductor.metadata": {"bgm": json.dumps(metadata)}}
        graph = export_graph(net, self.shape)
        if any(node.target is torch.ops.aten.nonzero.default for node in graph.graph.nodes):
            # A convolution over as many patches as a picture has is compiled wrongly else: see
            # docs/reports/aoti.md.
            configs["layout_optimization"] = False
        aoti_compile_and_package(graph, package_path=str(path), inductor_configs=configs)
