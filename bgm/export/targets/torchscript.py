"""TorchScript: one .pt file for libtorch and for PyTorch without this package."""

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPPPooling

from bgm.export.runtime import METADATA_FILE, Exported, opening
from bgm.export.runtime_options import OPTIONS, WithRuntimeOptions
from bgm.export.target import Runtimes, Target
from bgm.model import MattingRefine
from bgm.ops import resize


def open_torchscript(path: str | Path, device: str | torch.device = "cpu") -> Exported:
    """Open an exported TorchScript file on a device."""
    program, metadata = load_program(path, device)
    options = {name: getattr(program, name) for name in OPTIONS if hasattr(program, name)}

    def run(src: Tensor, bgr: Tensor) -> Sequence[Tensor]:
        for name, value in options.items():
            setattr(program, name, value)
        return program(src, bgr)

    return Exported(run, metadata, path, device, options)


def load_program(path: str | Path, device: str | torch.device) -> tuple[Any, dict[str, str]]:
    """A TorchScript program on a device and what its file says of itself; BadInput if broken."""
    extra = {METADATA_FILE: ""}
    with opening(path, "TorchScript program") as file, without_deprecation_warning():
        program = torch.jit.load(str(file), map_location=device, _extra_files=extra)
    return program, json.loads(extra[METADATA_FILE] or "{}")


def save_program(net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
    """Script net (changed) and write it to path, with what the file says of itself."""
    for parent in list(net.modules()):
        for name, child in parent.named_children():
            if isinstance(child, ASPPPooling):
                setattr(parent, name, PooledFeatures(*child))
    with without_deprecation_warning():
        # Not straight to the file: on a full disk that ends the process, not the function.
        file = BytesIO()
        extra = {METADATA_FILE: json.dumps(metadata)}
        torch.jit.save(torch.jit.script(net), file, _extra_files=extra)
    path.write_bytes(file.getvalue())


class TorchScriptExport(Target):
    """A scripted (not traced) program: every size, batch, device and branch stays. See `Target`.

    A refined network keeps the reference's attributes, which may be set on the loaded program:
    `backbone_scale`, `refine_mode`, `refine_sample_pixels` and `refine_threshold`.
    """

    name: ClassVar[str] = "torchscript"
    suffix: ClassVar[str] = ".pt"
    runtimes: ClassVar[Runtimes] = {"libtorch": open_torchscript}
    precisions: ClassVar[tuple[str, ...]] = ("float32", "float16")
    shares_cells: ClassVar[bool] = True
    selects_later: ClassVar[bool] = True

    def write(self, net: nn.Module, path: Path, metadata: dict[str, str]) -> None:
        scripted = WithRuntimeOptions(net).eval() if isinstance(net, MattingRefine) else net
        save_program(scripted, path, metadata)

    def operators(self, path: Path) -> dict[str, int]:
        with without_deprecation_warning():
            program = torch.jit.load(str(path), map_location="cpu")
        calls = re.findall(r"= ((?:aten|torchvision|prim)::\w+)", str(program.inlined_graph))
        return dict(sorted(Counter(calls).items()))


class PooledFeatures(nn.Sequential):
    """torchvision's ASPPPooling without F.interpolate, of which older libtorches read no part."""

    def forward(self, x: Tensor) -> Tensor:
        size = [x.shape[2], x.shape[3]]
        for module in self:
            x = module(x)
        return resize(x, size)


@contextmanager
def without_deprecation_warning() -> Iterator[None]:
    """Silence torch's note that TorchScript is deprecated, and nothing else: we offer it still."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.\w+` is deprecated")
        yield
