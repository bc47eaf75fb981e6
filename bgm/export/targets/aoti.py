"""AOTInductor: the network compiled to machine code in a .pt2 package, for PyTorch and C++."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.export.runtime import Exported, answer_by_kind, existing, first_line
from bgm.export.target import Target
from bgm.export.targets.graphs import graph


class AotiExport(Target):
    """One .aoti.pt2 file, compiled for the processor that it is written on. See `Target`.

    Wants a C++ compiler: the one that the environment variable CXX names, or g++.
    """

    name: ClassVar[str] = "aoti"
    suffix: ClassVar[str] = ".aoti.pt2"
    runtime: ClassVar[str] = "AOTInductor"

    def refuse(self, net: nn.Module, out: Path) -> None:
        super().refuse(net, out)
        compiler = os.environ.get("CXX", "g++")
        if shutil.which(compiler) is None:
            raise BadInput(
                f"export=aoti compiles C++, and there is no {compiler}: install one, or name yours"
                " in the environment variable CXX"
            )

    def write(self, net: nn.Module, path: Path, about: dict[str, str]) -> None:
        program = graph(net, self.shape)
        configs = {"aot_inductor.metadata": {"bgm": json.dumps(about)}}
        torch._inductor.aoti_compile_and_package(
            program, package_path=str(path), inductor_configs=configs
        )

    def open(self, path: Path) -> Exported:
        return open_aoti(path)


def open_aoti(path: str | Path) -> Exported:
    """Open a package of AOTInductor; it runs where it was compiled for.

    Raises BadInput for a broken file and for a program that is not ours.
    """
    path = existing(path)
    try:
        program = torch._inductor.aoti_load_package(str(path))
        about = json.loads(program.get_metadata().get("bgm", "{}"))
    except RuntimeError as error:
        raise BadInput(
            f"{path} is no package of AOTInductor, or a broken one ({first_line(error)})"
        ) from None
    answer = answer_by_kind(path, about)

    def run(src: Tensor, bgr: Tensor) -> Sequence[Tensor]:
        return program(src.cpu(), bgr.cpu())

    return Exported(run, answer, about)
