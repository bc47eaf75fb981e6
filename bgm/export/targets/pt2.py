"""torch.export's .pt2: the network's graph for PyTorch without this package."""

import json
import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn
from torch.export.passes import move_to_device_pass

from bgm.export.runtime import METADATA_FILE, Exported, only_errors_of, opening
from bgm.export.target import Runtimes, Target
from bgm.export.targets.aoti import open_aoti
from bgm.export.targets.graphs import export_graph


def open_pt2(path: str | Path, device: str | torch.device = "cpu") -> Exported:
    """Open a .pt2, a graph of torch.export or a package of AOTInductor, on a device."""
    extra = {METADATA_FILE: ""}
    with opening(path, ".pt2 program") as file, only_errors_of("torch.export"):
        if not zipfile.is_zipfile(file):
            raise ValueError("no archive, or its end is missing")
        if holds_compiled_code(file):
            return open_aoti(file)
        program = torch.export.load(file, extra_files=extra)
    if torch.device(device).type != "cpu":
        program = move_to_device_pass(program, device)
    # Guards hold what the example happened to show: "not 1 pixel at the deepest stage" would refuse
    # 64x64, which the graph computes rightly.
    net = program.module(check_guards=False)
    return Exported(net, json.loads(extra[METADATA_FILE] or "{}"), path, device)


class Pt2Export(Target):
    """One .pt2 file; batch, height and width are free unless shape says otherwise. See `Target`.

    With the roi_align crop the reader has to import torchvision first, whose operator that is.
    """

    name: ClassVar[str] = "pt2"
    suffix: ClassVar[str] = ".pt2"
    runtimes: ClassVar[Runtimes] = {"torch.export": open_pt2}
    precisions: ClassVar[tuple[str, ...]] = ("float32", "float16")
    shares_cells: ClassVar[bool] = True

    def write(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        # Not straight to the file: on a full disk that ends the process, not the function.
        file = BytesIO()
        extra = {METADATA_FILE: json.dumps(metadata)}
        torch.export.save(export_graph(net, self.shape), file, extra_files=extra)
        path.write_bytes(file.getvalue())

    def operators(self, path: Path) -> dict[str, int]:
        nodes = torch.export.load(path).graph.nodes
        return dict(Counter(str(n.target) for n in nodes if n.op == "call_function"))


def holds_compiled_code(path: Path) -> bool:
    """Whether a .pt2 is a package of AOTInductor."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/aotinductor/" in name for name in archive.namelist())
