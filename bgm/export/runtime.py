"""Exported files as callables: (src, bgr) -> Refined or Coarse, in torch tensors."""

import json
import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from bgm.errors import BadInput
from bgm.types import Coarse, Refined

INPUTS = ("src", "bgr")
CARD = "bgm.json"  # the metadata's name inside a TorchScript file


class Exported:
    """A network in a file: call it with src and bgr (B, 3, H, W) in [0, 1] on any device.

    metadata: what the file says about itself, see `bgm.export.metadata`. Returns `Refined` or
    `Coarse` on src's device. Raises ValueError as the networks do when shapes do not fit.
    """

    def __init__(self, run: Callable, answer: type, metadata: dict[str, str]):
        self.run, self.answer, self.metadata = run, answer, metadata

    @torch.no_grad()
    def __call__(self, src: Tensor, bgr: Tensor) -> Coarse | Refined:
        if src.shape != bgr.shape:
            raise ValueError(f"src {list(src.shape)} and bgr {list(bgr.shape)} differ")
        H, W = src.shape[-2:]
        if H % 4 or W % 4:
            raise ValueError(f"height {H} and width {W} must both be divisible by 4")
        return self.answer(*(x.to(src.device) for x in self.run(src.float(), bgr.float())))


def open_onnx(
    path: str | Path,
    threads: int | None = None,
    providers: Sequence[str] = ("CPUExecutionProvider",),
) -> Exported:
    """Open an exported .onnx in onnxruntime, with as many threads as torch has unless told.

    Raises BadInput for a missing onnxruntime, a broken file, and a model that does no matting.
    """
    ort = imported("onnxruntime")
    path = existing(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 3  # warnings about initializers are not for the user
    try:
        session = ort.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # onnxruntime's errors share no type of their own
        raise BadInput(f"{path} is no ONNX model, or a broken one ({first_line(error)})") from None
    inputs = tuple(x.name for x in session.get_inputs())
    outputs = tuple(x.name for x in session.get_outputs())
    answer = answer_of(outputs)
    if inputs != INPUTS or answer is None:
        raise BadInput(
            f"{path} is not a matting network: it takes {', '.join(inputs)} and gives "
            f"{', '.join(outputs)}; expected src, bgr and {', '.join(Refined._fields)} "
            f"(or {', '.join(Coarse._fields)})"
        )

    def run(src: Tensor, bgr: Tensor) -> list[Tensor]:
        feed = {"src": src.cpu().numpy(), "bgr": bgr.cpu().numpy()}
        return [torch.from_numpy(x) for x in session.run(None, feed)]

    return Exported(run, answer, dict(session.get_modelmeta().custom_metadata_map))


def open_torchscript(path: str | Path, device: str | torch.device = "cpu") -> Exported:
    """Open an exported TorchScript file on a device.

    Raises BadInput for a broken file and for a program that does no matting.
    """
    path = existing(path)
    extra = {CARD: ""}
    try:
        with deprecation_known():
            program = torch.jit.load(str(path), map_location=device, _extra_files=extra)
    except (RuntimeError, ValueError) as error:
        raise BadInput(
            f"{path} is no TorchScript program, or a broken one ({first_line(error)})"
        ) from None
    schema = program.forward.schema
    inputs = tuple(x.name for x in schema.arguments[1:])
    name = str(schema.returns[0].type).split("(")[0].split(".")[-1].strip()
    answer = {"Refined": Refined, "Coarse": Coarse}.get(name)
    if inputs != INPUTS or answer is None:
        raise BadInput(
            f"{path} is not a matting network: it takes {', '.join(inputs)} and gives {name}; "
            "expected src, bgr and Refined or Coarse"
        )

    def run(src: Tensor, bgr: Tensor) -> Sequence[Tensor]:
        return program(src.to(device), bgr.to(device))

    return Exported(run, answer, json.loads(extra[CARD] or "{}"))


def answer_of(outputs: Sequence[str]) -> type | None:
    """The named tuple whose fields are these outputs."""
    return next((t for t in (Refined, Coarse) if tuple(outputs) == t._fields), None)


def existing(path: str | Path) -> Path:
    if not Path(path).is_file():
        raise BadInput(f"model {path} does not exist or is no file")
    return Path(path)


def imported(name: str):
    """An optional module, or BadInput that says how to install it."""
    try:
        return __import__(name)
    except ImportError:
        raise BadInput(f"{name} is not installed: pip install 'bgm[export]'") from None


def first_line(error: Exception) -> str:
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def deprecation_known():
    """Silence torch's note that TorchScript is deprecated, and nothing else: we offer it still."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.\w+` is deprecated")
        yield
