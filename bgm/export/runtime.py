"""Exported files as callables: (src, bgr) -> Refined or Coarse, in torch tensors."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bgm.errors import BadInput, first_line
from bgm.export.shapes import Shape
from bgm.extras import EXTRAS, pip_install
from bgm.model.base import check_pictures
from bgm.types import Coarse, Refined

INPUTS = ("src", "bgr")
OUTPUT_TYPES: dict[Any, type] = {"refined": Refined, "base": Coarse}
METADATA_FILE = "bgm.json"  # what a file says about itself, inside formats that take files in


class Exported:
    """A network in a file: call it with src and bgr (B, 3, H, W) in [0, 1] on any device.

    run: (src, bgr) on `device` and of the file's own type -> its outputs, tensors or arrays.
    metadata: what the file says about itself, see `bgm.export.metadata`. shape: the only one it
    takes, None for every one. options: what may be changed between two calls, by name; empty for
    most formats. Returns `Refined` or `Coarse` (output_type), float32, on src's device. Raises
    ValueError as the networks do when shapes do not fit, and BadInput for a file that is not ours.
    """

    def __init__(
        self,
        run: Callable[[Tensor, Tensor], Iterable[Any]],
        metadata: dict[str, str],
        path: str | Path = "the file",
        device: str | torch.device = "cpu",
        options: dict[str, Any] | None = None,
    ):
        kind = metadata.get("kind")
        if kind not in OUTPUT_TYPES:
            raise BadInput(f"{path} is not a matting network: it does not say what it computes")
        self.run, self.metadata, self.device = run, metadata, device
        self.output_type: type = OUTPUT_TYPES[kind]
        self.options = {} if options is None else options
        fixed = metadata.get("shape", "dynamic")
        self.shape = None if fixed == "dynamic" else Shape(*json.loads(fixed))
        self.dtype = torch.float16 if metadata.get("io") == "float16" else torch.float32

    @torch.no_grad()
    def __call__(self, src: Tensor, bgr: Tensor) -> Coarse | Refined:
        check_pictures(src, bgr)
        B, _, H, W = src.shape
        if self.shape and self.shape != (B, H, W):
            raise ValueError(f"batch {B}, height {H}, width {W}: this file takes {self.shape} only")
        outputs = self.run(*(x.to(self.device, self.dtype).contiguous() for x in (src, bgr)))
        return self.output_type(
            *(torch.as_tensor(x).to(src.device, torch.float32) for x in outputs)
        )


@contextmanager
def opening(path: str | Path, what: str) -> Iterator[Path]:
    """path, for a block that opens it as "an ONNX model", say.

    Raises BadInput when there is no such file, and for whatever a runtime raises in the block:
    runtimes share no type of error.
    """
    if not Path(path).is_file():
        raise BadInput(f"model {path} does not exist or is no file")
    try:
        yield Path(path)
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"{path} is no {what}, or a broken one ({first_line(error)})") from None


@contextmanager
def only_errors_of(name: str) -> Iterator[None]:
    """Let a package's logger say errors only: its warnings are about its own affairs."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def require_package(name: str) -> Any:
    """An optional module, or BadInput that says how to install it."""
    try:
        return import_module(name)
    except ImportError:
        package = name.split(".")[0]
        extra = EXTRAS.get(package, "runtimes")
        raise BadInput(f"{package} is not installed: {pip_install(extra)}") from None
