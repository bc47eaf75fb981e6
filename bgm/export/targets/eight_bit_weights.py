"""Weights of an .onnx file stored in 8 bits; runtimes turn them into float32 when they load it."""

from pathlib import Path
from typing import Any

import numpy as np

from bgm.export.runtime import require_package

LEAST = 1024  # numbers in a weight that is worth the two operators
OUTPUTS = {"Conv": 0, "MatMul": -1}  # axis of the output channels in the second input


def store_in_eight_bits(floats: Path, path: Path) -> None:
    """Write floats (an .onnx in float32) to path, a quarter as large; it computes in float32.

    A weight of a convolution or matrix product becomes int8 and, for every output channel, what
    that is to be multiplied by: the largest value of a channel is 127. Two operators in the file
    undo this (Cast, Mul), of constants alone: runtimes compute them once, at loading. Activations
    are not rounded, so nothing is to be calibrated.
    """
    onnx = require_package("onnx")
    model = onnx.load(floats)
    graph = model.graph
    axes = {node.input[1]: OUTPUTS[node.op_type] for node in graph.node if node.op_type in OUTPUTS}
    kept, undoing = [], []
    for stored in graph.initializer:
        is_float = stored.data_type == onnx.TensorProto.FLOAT
        if not is_float or stored.name not in axes or np.prod(stored.dims) < LEAST:
            kept.append(stored)
            continue
        values = onnx.numpy_helper.to_array(stored)
        levels, scale = rounded(values, axes[stored.name])
        names = [f"{stored.name}.{part}" for part in ("levels", "scale", "cast")]
        for array, name in zip((levels, scale), names, strict=False):
            kept.append(onnx.numpy_helper.from_array(array, name))
        make = onnx.helper.make_node
        undoing.append(make("Cast", names[:1], names[2:], to=onnx.TensorProto.FLOAT))
        undoing.append(make("Mul", [names[2], names[1]], [stored.name]))
    nodes = [*undoing, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    onnx.save(model, path)


def rounded(values: Any, axis: int) -> tuple[Any, Any]:
    """Levels (int8, the shape of values) and their scale (float32), one an index of axis."""
    others = tuple(i for i in range(values.ndim) if i != axis % values.ndim)
    scale = np.maximum(np.abs(values).max(others, keepdims=True), 1e-12) / 127
    return np.rint(values / scale).astype(np.int8), scale.astype(np.float32)
