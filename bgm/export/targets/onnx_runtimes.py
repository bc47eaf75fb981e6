"""Programs that run .onnx files (and OpenVINO's own .xml) on the CPU."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bgm.errors import BadInput
from bgm.export.runtime import (
    Exported,
    first_line,
    output_type_by_names,
    require_file,
    require_package,
)

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
    path = require_file(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 3  # warnings about initializers are not for the user
    try:
        session = ort.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # onnxruntime's errors share no type of their own
        raise BadInput(f"{path} is no ONNX model, or a broken one ({first_line(error)})") from None
    inputs = [x.name for x in session.get_inputs()]
    output_type = output_type_by_names(path, inputs, [x.name for x in session.get_outputs()])
    metadata = dict(session.get_modelmeta().custom_metadata_map)
    settable = [x.name for x in session.get_overridable_initializers()]
    values = {THRESHOLD: float(metadata[THRESHOLD])} if THRESHOLD in settable else {}

    def run(src: Tensor, bgr: Tensor) -> list[Tensor]:
        feed = {"src": src.cpu().numpy(), "bgr": bgr.cpu().numpy()}
        feed |= {name: np.asarray(value, feed["src"].dtype) for name, value in values.items()}
        return [torch.from_numpy(x) for x in session.run(None, feed)]

    return Exported(run, output_type, metadata, values)


def open_reference(path: str | Path, device: str | torch.device = "cpu") -> Exported:
    """Open an exported .onnx in the slow, plain evaluator of the onnx package."""
    onnx, evaluator = require_package("onnx"), require_package("onnx.reference")
    path = require_file(path)
    try:
        model = onnx.load(path)
        session = evaluator.ReferenceEvaluator(model)
    except Exception as error:  # protobuf's and onnx's own
        raise BadInput(f"{path} is no ONNX model, or a broken one ({first_line(error)})") from None
    output_type = output_type_by_names(path, session.input_names[:2], session.output_names)

    def run(src: Tensor, bgr: Tensor) -> list[Tensor]:
        outputs = session.run(None, {"src": src.cpu().numpy(), "bgr": bgr.cpu().numpy()})
        return [torch.from_numpy(np.asarray(x)) for x in outputs]

    return Exported(run, output_type, {p.key: p.value for p in model.metadata_props})


def open_openvino(
    path: str | Path, device: str | torch.device = "cpu", precision: str = "float32"
) -> Exported:
    """Open an exported .onnx, or an .xml with its .bin, in OpenVINO on the CPU.

    precision: float32 or bfloat16, in which it computes. OpenVINO itself would choose bfloat16
    where the processor has it: off by 1e-3 and more.
    """
    ov = require_package("openvino")
    path = require_file(path)
    options = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    try:
        model = ov.Core().read_model(path)
        if path.suffix == ".xml":
            metadata = json.loads(model.get_rt_info(["bgm"]).value)
        else:
            metadata = onnx_metadata(path)
        compiled = ov.Core().compile_model(model, "CPU", options)
    except RuntimeError as error:
        raise BadInput(f"{path} is no model that OpenVINO reads ({first_line(error)})") from None
    names = [[x.get_any_name() for x in side] for side in (compiled.inputs, compiled.outputs)]
    output_type = output_type_by_names(path, *names)

    def run(src: Tensor, bgr: Tensor) -> list[Tensor]:
        outputs = compiled({"src": src.cpu().numpy(), "bgr": bgr.cpu().numpy()})
        return [torch.from_numpy(outputs[i].copy()) for i in range(len(names[1]))]

    return Exported(run, output_type, metadata)


def onnx_metadata(path: Path) -> dict[str, str]:
    """What an .onnx file says about itself."""
    model = require_package("onnx").load(path, load_external_data=False)
    return {p.key: p.value for p in model.metadata_props}
