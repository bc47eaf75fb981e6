"""ExecuTorch: one .pte file for phones and small devices, with XNNPACK's kernels."""

import json
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.runtime import Exported, only_errors_of, opening, require_package
from bgm.export.target import Runtimes, Target
from bgm.export.targets.graphs import export_graph
from bgm.model import RoiAlignCrop

METADATA_METHOD = "bgm_card"  # a second method of the program: its metadata as a tensor of bytes


def open_executorch(path: str | Path, device: str | torch.device = "cpu") -> Exported:
    """Open a .pte on the CPU, whatever device says."""
    with only_errors_of("torch.utils._pytree"):
        runtime = require_package("executorch.runtime")
    with opening(path, "ExecuTorch program of ours") as file:
        if not holds_program(file):
            raise ValueError("it does not begin as one")
        program = runtime.Runtime.get().load_program(file)
        (text,) = program.load_method(METADATA_METHOD).execute([])
        method = program.load_method("forward")

    def run(src: Tensor, bgr: Tensor) -> list[Tensor]:
        # The outputs live in the program's own memory: the next call would overwrite them.
        return [x.clone() for x in method.execute([src, bgr])]

    return Exported(run, json.loads(bytes(text.tolist())), path)


def holds_program(path: Path) -> bool:
    """Whether a file has ExecuTorch's identifier; the runtime ends the process of one without."""
    with path.open("rb") as file:
        return file.read(6)[4:] == b"ET"


class ExecuTorchExport(Target):
    """One .pte of one shape: the convolutions in XNNPACK, the rest in portable kernels.

    Its memory is planned when it is written, so that shape has to be given and thresholding, whose
    number of patches depends on the picture, is refused; there is no kernel for roi_align.
    """

    name: ClassVar[str] = "executorch"
    suffix: ClassVar[str] = ".pte"
    runtimes: ClassVar[Runtimes] = {"ExecuTorch": open_executorch}
    packages: ClassVar[tuple[str, ...]] = ("executorch",)

    def check_request(self, net: nn.Module, out: Path) -> None:
        super().check_request(net, out)
        self.check_static(net)
        if isinstance(self.method(net, "crop"), RoiAlignCrop):
            raise BadInput("export=executorch has no roi_align: use crop=unfold or crop=gather")

    def write(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        exir = require_package("executorch.exir")
        xnnpack = require_package("executorch.backends.xnnpack.partition.xnnpack_partitioner")
        text = torch.tensor(list(json.dumps(metadata).encode()), dtype=torch.uint8)
        program = exir.to_edge_transform_and_lower(
            export_graph(net, self.shape),
            partitioner=[xnnpack.XnnpackPartitioner()],
            constant_methods={METADATA_METHOD: text},
        ).to_executorch()
        path.write_bytes(program.buffer)
