"""Programs that run .onnx files (and OpenVINO's own .xml) on the CPU."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bgm.errors import BadInput
from bgm.export.runtime import Exported, existing, first_line, imported, matting_answer

THRESHOLD = "refine_threshold"  # an input that need not be given, in files that have it


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
    inputs = [x.name for x in session.get_inputs()]
    answer = matting_answer(path, inputs, [x.name for x in session.get_outputs()])
    about = dict(session.get_modelmeta().custom_metadata_map)
    settable = [x.name for x in session.get_overridable_initializers()]
    knobs = {THRESHOLD: float(about[THRESHOLD])} if THRESHOLD in settable else {}

    def run(src: Tensor, bgr: Tensor) -> list[Tensor]:
        feed = {"src": src.cpu().numpy(), "bgr": bgr.cpu().numpy()}
        feed |= {name: np.asarray(value, feed["src"].dtype) for name, value in knobs.items()}
        return [torch.from_numpy(x) for x in session.run(None, feed)]

    return Exported(run, answer, about, knobs)


def open_reference(path: str | Path) -> Exported:
    """Open an exported .onnx in the slow, plain evaluator of the onnx package."""
    onnx, evaluator = imported("onnx"), imported("onnx.reference")
    path = existing(path)
    try:
        model = onnx.load(path)
        session = evaluator.ReferenceEvaluator(model)
    except Exception as error:  # protobuf's and onnx's own
        raise BadInput(f"{path} is no ONNX model, or a broken one ({first_line(error)})") from None
    answer = matting_answer(path, session.input_names[:2], session.output_names)

    def run(src: Tensor, bgr: Tensor) -> list[Tensor]:
        found = session.run(None, {"src": src.cpu().numpy(), "bgr": bgr.cpu().numpy()})
        return [torch.from_numpy(np.asarray(x)) for x in found]

    return Exported(run, answer, {p.key: p.value for p in model.metadata_props})


def open_openvino(path: str | Path, threads: int | None = None) -> Exported:
    """Open an exported .onnx, or an .xml with its .bin, in OpenVINO, computing in float32.

    OpenVINO itself would choose bfloat16 where the processor has it: off by 1e-3 and more.
    """
    ov = imported("openvino")
    path = existing(path)
    try:
        model = ov.Core().read_model(path)
        if path.suffix == ".xml":
            about = json.loads(model.get_rt_info(["bgm"]).value)
        else:
            about = onnx_metadata(path)
        compiled = ov.Core().compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": threads or torch.get_num_threads(),
            },
        )
    except RuntimeError as error:
        raise BadInput(f"{path} is no model that OpenVINO reads ({first_line(error)})") from None
    names = [[x.get_any_name() for x in side] for side in (compiled.inputs, compiled.outputs)]
    answer = matting_answer(path, *names)

    def run(src: Tensor, bgr: Tensor) -> list[Tensor]:
        found = compiled({"src": src.cpu().numpy(), "bgr": bgr.cpu().numpy()})
        return [torch.from_numpy(found[i].copy()) for i in range(len(names[1]))]

    return Exported(run, answer, about)


def onnx_metadata(path: Path) -> dict[str, str]:
    """What an .onnx file says about itself."""
    model = imported("onnx").load(path, load_external_data=False)
    return {p.key: p.value for p in model.metadata_props}


RUNTIMES: dict[str, Callable[..., Exported]] = {
    "onnxruntime": open_onnx,
    "openvino": open_openvino,
    "reference": open_reference,
}
