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
CARD = "bgm.json"  # the metadata's name inside a file that takes other files in
EXTRAS = {"onnx": "export", "onnxruntime": "export", "onnxscript": "export"}


class Exported:
    """A network in a file: call it with src and bgr (B, 3, H, W) in [0, 1] on any device.

    metadata: what the file says about itself, see `bgm.export.metadata`. shape: the only one it
    takes, None for every one. knobs: what may be changed between two calls, by name; empty for
    most formats. Returns `Refined` or `Coarse`, float32, on src's device. Raises ValueError as the
    networks do when shapes do not fit.
    """

    def __init__(
        self,
        run: Callable[[Tensor, Tensor], Sequence[Tensor]],
        answer: type,
        metadata: dict[str, str],
        knobs: dict[str, Any] | None = None,
    ):
        self.run, self.answer, self.metadata = run, answer, metadata
        self.knobs = {} if knobs is None else knobs
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
        found = self.run(src.to(self.dtype), bgr.to(self.dtype))
        return self.answer(*(x.to(src.device, torch.float32) for x in found))


def answer_of(outputs: Sequence[str]) -> type | None:
    """The named tuple whose fields are these outputs."""
    return next((t for t in (Refined, Coarse) if tuple(outputs) == t._fields), None)


def answer_by_kind(path: Path, metadata: dict[str, str]) -> type:
    """The named tuple that a file of ours says it gives; BadInput for a file that is not ours."""
    answer = {"refined": Refined, "base": Coarse}.get(metadata.get("kind", ""))
    if answer is None:
        raise BadInput(f"{path} is not a matting network: it does not say what it computes")
    return answer


def matting_answer(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> type:
    """The named tuple of a file's outputs, or BadInput when the file does no matting."""
    answer = answer_of(outputs)
    if tuple(inputs) != INPUTS or answer is None:
        raise BadInput(
            f"{path} is not a matting network: it takes {', '.join(inputs)} and gives "
            f"{', '.join(outputs)}; expected src, bgr and {', '.join(Refined._fields)} "
            f"(or {', '.join(Coarse._fields)})"
        )
    return answer


def existing(path: str | Path) -> Path:
    if not Path(path).is_file():
        raise BadInput(f"model {path} does not exist or is no file")
    return Path(path)


def imported(name: str) -> Any:
    """An optional module, or BadInput that says how to install it."""
    try:
        return import_module(name)
    except ImportError:
        package = name.split(".")[0]
        extra = EXTRAS.get(package, "runtimes")
        raise BadInput(f"{package} is not installed: pip install 'bgm[{extra}]'") from None


def first_line(error: BaseException) -> str:
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
