"""int8: post-training static quantisation of an .onnx file's convolutions."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from bgm.errors import BadInput
from bgm.export.runtime import require_package
from bgm.export.shapes import Shape


def quantise(
    floats: Path, path: Path, pairs: Iterable[tuple[Tensor, Tensor]], shape: Shape | None
) -> None:
    """Write floats (an .onnx in float32) to path with 8-bit convolutions, calibrated with pairs.

    pairs: src and bgr (B, 3, H, W) in [0, 1], H and W divisible by 4. Weights per channel, one
    range per activation (the extremes that the pairs show), QuantizeLinear and DequantizeLinear
    around each convolution but the base network's last two; all else, and src, bgr and the outputs,
    stay float32. Raises BadInput without a single pair and for pairs of another shape.
    """
    require_package("onnxruntime")
    onnx = require_package("onnx")
    quantization = require_package("onnxruntime.quantization")
    feeds = [feed(src, bgr, shape) for src, bgr in pairs]
    if not feeds:
        raise BadInput("precision=int8: the data holds no picture to calibrate with")
    source = onnx.load(floats)
    about = {p.key: p.value for p in source.metadata_props}
    with without_advice():
        quantization.quantize_static(
            source,
            str(path),
            reader(quantization, feeds),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[n.name for n in source.graph.node if stays_float(n)],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
    # The quantiser drops what the file says about itself.
    model = onnx.load(path)
    onnx.helper.set_model_props(model, about)
    onnx.save(model, path)


def stays_float(node: Any) -> bool:
    """The decoder's last two convolutions, whose channels do not share a range well.

    conv4: alpha, which wants fine steps, beside hid. conv3, measured on the demo's network and 6
    scenes: MAD 66.3 in float, 153 with conv3 in 8 bits (85 to 125 with percentiles instead of
    extremes), 62.1 with it in float; any other convolution changes these numbers by 2 at most.
    """
    kept = ("decoder.conv3.weight", "decoder.conv4.weight")
    return node.op_type == "Conv" and node.input[1].endswith(kept)


@contextmanager
def without_advice() -> Iterator[None]:
    """Silence the quantiser's advice to run another of its tools first, and nothing else."""

    def other(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Please consider")

    logging.getLogger().addFilter(other)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(other)


def feed(src: Tensor, bgr: Tensor, shape: Shape | None) -> dict[str, Any]:
    shape_of_pair = (src.shape[0], *src.shape[-2:])
    if shape is not None and shape_of_pair != shape:
        raise BadInput(
            f"calibration pictures are {list(shape_of_pair)}, the file takes {list(shape)}"
        )
    return {"src": src.numpy(), "bgr": bgr.numpy()}


def reader(quantization: Any, feeds: list[dict[str, Any]]) -> Any:
    """The feeds as onnxruntime wants to read them: one a call, then None."""

    class Reader(quantization.CalibrationDataReader):
        left = iter(feeds)

        def get_next(self) -> dict[str, Any] | None:
            return next(self.left, None)

    return Reader()
