"""Programs that run .onnx files (and OpenVINO's own .xml) on the CPU."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch
from torch import Tensor

from bgm.export.runtime import Exported, opening, require_package
from bgm.types import Coarse, Refined

THRESHOLD = "refine_threshold"  # an input that need not be given, in files that have it


def open_onnx(
    path: str | Path,
    device: str | torch.device = "cpu",
    threads: int | None = None,
    providers: Sequence[str] = ("CPUExecutionProvider",),
) -> Exported:
    """Open an exported .onnx in onnxruntime with as many threads as torch has, or with threads.

    device: ignored, providers says where it runs. Raises BadInput for a missing onnxruntime, a
    broken file, and a model that does no matting.
    """
    ort = require_package("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 3  # warnings about initializers are not for the user
    with opening(path, "ONNX model") as file:
        session = ort.InferenceSession(str(file), options, providers=list(providers))
    metadata = kind_of(x.name for x in session.get_outputs())
    metadata |= session.get_modelmeta().custom_metadata_map
    settable = [x.name for x in session.get_overridable_initializers()]
    values = {THRESHOLD: float(metadata[THRESHOLD])} if THRESHOLD in settable else {}

    def run(src: Tensor, bgr: Tensor) -> list[Any]:
        inputs = feed(src, bgr)
        more = {name: np.asarray(value, inputs["src"].dtype) for name, value in values.items()}
        return session.run(None, inputs | more)

    return Exported(run, metadata, path, options=values)


def open_reference(path: str | Path, device: str | torch.device = "cpu") -> Exported:
    """Open an exported .onnx in the slow, plain evaluator of the onnx package."""
    evaluator = require_package("onnx.reference")
    with opening(path, "ONNX model") as file:
        session = evaluator.ReferenceEvaluator(str(file))
    metadata = kind_of(session.output_names) | onnx_metadata(file)
    return Exported(lambda *x: session.run(None, feed(*x)), metadata, path)


@cache
def openvino_core() -> Any:
    """The one Core of OpenVINO in this process, which is never given back.

    Each Core gives the thread that makes it a stack for signals, and when it goes puts back the one
    from before: of two that go in the order in which they came, the second puts back a stack that
    is freed, and the next signal, Ctrl-C too, is a segmentation fault.
    """
    return require_package("openvino").Core()


def open_openvino(
    path: str | Path, device: str | torch.device = "cpu", precision: str = "float32"
) -> Exported:
    """Open an exported .onnx, or an .xml with its .bin, in OpenVINO on the CPU.

    precision: float32 or bfloat16, in which it computes. OpenVINO itself would choose bfloat16
    where the processor has it: off by 1e-3 and more.
    """
    options = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    with opening(path, "model that OpenVINO reads") as file:
        if file.suffix == ".xml" and ElementTree.parse(file).getroot().tag != "net":
            raise ValueError("its XML is no <net>")  # else OpenVINO asks TensorFlow's reader
        core = openvino_core()
        model = core.read_model(file)
        if file.suffix == ".xml":
            metadata = json.loads(model.get_rt_info(["bgm"]).value)
        else:
            metadata = onnx_metadata(file)
        compiled = core.compile_model(model, "CPU", options)
    metadata = kind_of(x.get_any_name() for x in compiled.outputs) | metadata

    def run(src: Tensor, bgr: Tensor) -> list[Any]:
        outputs = compiled(feed(src, bgr))
        return [outputs[i].copy() for i in range(len(compiled.outputs))]

    return Exported(run, metadata, path)


def feed(src: Tensor, bgr: Tensor) -> dict[str, Any]:
    """Both pictures as the arrays that these programs take, by the names of the inputs."""
    return {"src": src.numpy(), "bgr": bgr.numpy()}


def kind_of(outputs: Iterable[str]) -> dict[str, str]:
    """What a file of BackgroundMattingV2's, which says nothing, would say: told by its outputs."""
    kinds = {Refined._fields: "refined", Coarse._fields: "base"}
    kind = kinds.get(tuple(outputs))
    return {} if kind is None else {"kind": kind}


def onnx_metadata(path: Path) -> dict[str, str]:
    """What an .onnx file says about itself."""
    model = require_package("onnx").load(path, load_external_data=False)
    return {p.key: p.value for p in model.metadata_props}
