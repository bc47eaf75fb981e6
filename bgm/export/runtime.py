"""Exported files as callables: (src, bgr) -> Refined or Coarse, in torch tensors."""

import json
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bgm.errors import BadInput
from bgm.export.shapes import Shape
from bgm.types import Coarse, Refined

INPUTS = ("src", "bgr")
METADATA_FILE = "bgm.json"  # what a file says about itself, inside formats that take files in
EXTRAS = {"onnx": "export", "onnxruntime": "export", "onnxscript": "export"}


class Exported:
    """A network in a file: call it with src and bgr (B, 3, H, W) in [0, 1] on any device.

    metadata: what the file says about itself, see `bgm.export.metadata`. shape: the only one it
    takes, None for every one. options: what may be changed between two calls, by name; empty for
    most formats. Returns `Refined` or `Coarse` (output_type), float32, on src's device. Raises
    ValueError as the networks do when shapes do not fit.
    """

    def __init__(
        self,
        run: Callable[[Tensor, Tensor], Sequence[Tensor]],
        output_type: type,
        metadata: dict[str, str],
        options: dict[str, Any] | None = None,
    ):
        self.run, self.output_type, self.metadata = run, output_type, metadata
        self.options = {} if options is None else options
        fixed = metadata.get("shape", "dynamic")
        self.shape = None if fixed == "dynamic" else Shape(*json.loads(fixed))
        self.dtype = torch.float16 if metadata.get("io") == "float16" else torch.float32

    @torch.no_grad()
    def __call__(self, src: Tensor, bgr: Tensor) -> Coarse | Refined:
        if src.shape != bgr.shape:
            raise ValueError(f"src {list(src.shape)} and bgr {list(bgr.shape)} differ")
        B, _, H, W = src.shape
        if H % 4 or W % 4:
            raise ValueError(f"height {H} and width {W} must both be divisible by 4")
        if self.shape and self.shape != (B, H, W):
            raise ValueError(f"batch {B}, height {H}, width {W}: this file takes {self.shape} only")
        outputs = self.run(src.to(self.dtype), bgr.to(self.dtype))
        return self.output_type(*(x.to(src.device, torch.float32) for x in outputs))


def output_type_by_kind(path: Path, metadata: dict[str, str]) -> type:
    """The named tuple that a file of ours says it gives; BadInput for a file that is not ours."""
    output_type = {"refined": Refined, "base": Coarse}.get(metadata.get("kind", ""))
    if output_type is None:
        raise BadInput(f"{path} is not a matting network: it does not say what it computes")
    return output_type


def output_type_by_names(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> type:
    """The named tuple of a file's outputs, or BadInput when the file does no matting."""
    output_type = next((t for t in (Refined, Coarse) if tuple(outputs) == t._fields), None)
    if tuple(inputs) != INPUTS or output_type is None:
        raise BadInput(
            f"{path} is not a matting network: it takes {', '.join(inputs)} and gives "
            f"{', '.join(outputs)}; expected src, bgr and {', '.join(Refined._fields)} "
            f"(or {', '.join(Coarse._fields)})"
        )
    return output_type


def require_file(path: str | Path) -> Path:
    """path, or BadInput when there is no such file."""
    if not Path(path).is_file():
        raise BadInput(f"model {path} does not exist or is no file")
    return Path(path)


def require_package(name: str) -> Any:
    """An optional module, or BadInput that says how to install it."""
    try:
        return import_module(name)
    except ImportError:
        package = name.split(".")[0]
        extra = EXTRAS.get(package, "runtimes")
        raise BadInput(f"{package} is not installed: pip install 'bgm[{extra}]'") from None


def first_line(error: BaseException) -> str:
    """What an error says first, without terminal colours."""
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
