"""Time of several ways in which an ONNX graph can fetch the refiner's windows and convolve them.

    OMP_NUM_THREADS=1 taskset -c 0 python benchmarks/operators.py [--setting hd] [--quick]
        [--rounds 10] [--threads 1]

The rows are of three kinds. In each all ways and both runtimes (onnxruntime, and OpenVINO in
float32) take turns, and printed are medians and ratios to the kind's first way:

- `windows, half size`: windows (P, 42, 8, 8), 3 pixels around each 2x2 patch, zero beyond the
  border, of a map that has half the picture's size already.
- `windows, coarse`: windows (P, 36, 8, 8) of the same kind, of coarse maps enlarged twice. All but
  `RoiAlign on coarse maps` (also behind a Conv, as in a network: OpenVINO then has another layout)
  and `Resize on small tensors` make the whole enlarged map first.
- `convolution`: windows (P, 42, 8, 8) by 3x3 to (P, 24, 6, 6).

`inside` is the largest difference, of either runtime, from numpy's windows that lie within the
picture, `border` of those that reach beyond it. Ways that must be equal to 1e-5 (1e-4 for `RoiAlign
on coarse maps` inside, and for the convolutions) end the program where they are not; ways without a
map of half size repeat pixels beyond the border. Graphs have fixed shapes, opset 18.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[1]))  # benchmarks/ is no package of an installation

from benchmarks.measure import Run, medians
from bgm.export.targets.onnx_runtimes import openvino_core

COLUMNS = ["what", "way", "onnxruntime_ms", "openvino_ms", "onnxruntime_ratio", "openvino_ratio"]
COLUMNS += ["inside", "border"]
RUNTIMES = ("onnxruntime", "openvino")
SIDE, AROUND = 8, 3  # pixels of a window; of them before and behind its 2x2 patch
OUT, KERNEL = 24, 3  # channels and size of the convolution
LEFT = SIDE - KERNEL + 1  # pixels of a convolved window
HALF_PIXEL = {"coordinate_transformation_mode": "half_pixel"}  # of Resize
HALF, COARSE, CONVOLUTION = "windows, half size", "windows, coarse", "convolution"


class Setting(NamedTuple):
    """Sizes: a patch is 2x2 pixels at half size, and one pixel of the coarse maps."""

    coarse: tuple[int, int, int]  # channels, height, width
    half: tuple[int, int, int]
    patches: int

    def tenth(self) -> "Setting":
        """Sides and number of patches a tenth as large."""
        (c, h, w), (C, H, W) = self.coarse, self.half
        return Setting((c, h // 10, w // 10), (C, H // 10, W // 10), self.patches // 10)


SETTINGS = {"hd": Setting((36, 270, 480), (42, 540, 960), 5_000)}


class Graph:
    """An ONNX graph, written node by node. Arrays among a node's inputs become constants."""

    def __init__(self, **inputs: np.ndarray):
        self.inputs = inputs
        self.shape = {name: x.shape for name, x in inputs.items()}
        self.nodes: list = []
        self.constants: list = []

    def __call__(self, kind: str, *inputs: "str | np.ndarray | None", **attributes: object) -> str:
        """The name of the one output of a new node; an input that is None is left out."""
        from onnx import helper

        names = [self.named(x) for x in inputs]
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], output, **attributes))
        return output

    def named(self, x: "str | np.ndarray | None") -> str:
        from onnx import numpy_helper

        if x is None or isinstance(x, str):
            return x or ""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(x), name))
        return name

    def reshape(self, x: str, *shape: int) -> str:
        return self("Reshape", x, np.array(shape))

    def model(self, output: str) -> bytes:
        """The file's bytes: opset 18, IR version 8."""
        from onnx import TensorProto, helper

        types = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("int64"): TensorProto.INT64}
        inputs = [
            helper.make_tensor_value_info(name, types[x.dtype], x.shape)
            for name, x in self.inputs.items()
        ]
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "operators", inputs, outputs, self.constants)
        opset = [helper.make_opsetid("", 18)]
        return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def padded(graph: Graph, enlarge: bool) -> tuple[str, int, int, int]:
    """The zero-padded map of half size (1, C, H, W), and C, H, W."""
    _, C, H, W = graph.shape["map"]
    name = "map"
    if enlarge:
        scales = np.array([1, 1, 2, 2], np.float32)
        name = graph("Resize", name, None, scales, mode="linear", **HALF_PIXEL)
        H, W = 2 * H, 2 * W
    pads = np.array([0, 0, AROUND, AROUND] * 2)
    return graph("Pad", name, pads), C, H + 2 * AROUND, W + 2 * AROUND


def channels_last(graph: Graph, enlarge: bool) -> tuple[str, int, int, int]:
    """The same as (H, W, C)."""
    name, C, H, W = padded(graph, enlarge)
    name = graph("Transpose", graph.reshape(name, C, H, W), perm=[1, 2, 0])
    return name, C, H, W


def windows(graph: Graph, rows: str, C: int, side: int = SIDE) -> str:
    """(P, side * side, C) -> (P, C, side, side)."""
    return graph.reshape(graph("Transpose", rows, perm=[0, 2, 1]), -1, C, side, side)


def offsets(side: int) -> np.ndarray:
    """Row and column of each pixel of a window: (side * side, 2)."""
    return np.stack(np.indices((side, side)), -1).reshape(-1, 2)


def gather_nd(graph: Graph, enlarge: bool) -> str:
    name, C, _, _ = channels_last(graph, enlarge)
    first = graph("Unsqueeze", graph("Mul", "patches", np.array(2)), np.array([1]))
    return windows(graph, graph("GatherND", name, graph("Add", first, offsets(SIDE))), C)


def gather_rows(graph: Graph, enlarge: bool) -> str:
    name, C, H, W = channels_last(graph, enlarge)
    first = graph("ReduceSum", graph("Mul", "patches", np.array([2 * W, 2])), np.array([1]))
    at = graph("Add", first, offsets(SIDE) @ [W, 1])
    return windows(graph, graph("Gather", graph.reshape(name, H * W, C), at, axis=0), C)


def roi_align(graph: Graph, name: str, step: int, begin: float, end: float) -> str:
    """A window for each patch, from step * patch + begin to step * patch + end (y and x)."""
    first = graph("Cast", graph("Gather", "patches", np.array([1, 0]), axis=1), to=1)  # x, y
    first = graph("Mul", first, np.float32(step)[None])
    box = [graph("Add", first, np.float32(x)[None]) for x in (begin, end)]
    return graph(
        "RoiAlign", name, graph("Concat", *box, axis=1),
        np.zeros(graph.shape["patches"][0], np.int64), output_height=SIDE, output_width=SIDE,
        sampling_ratio=1, coordinate_transformation_mode="output_half_pixel",
    )  # fmt: skip


def roi_align_padded(graph: Graph, enlarge: bool) -> str:
    # Here pixel i lies at i, and each of the 8 parts of the box is sampled in its middle.
    return roi_align(graph, padded(graph, enlarge)[0], 2, -0.5, SIDE - 0.5)


def roi_align_coarse(graph: Graph, enlarge: bool) -> str:
    # Pixel 2 r - 3 of half size, the window's first, lies at r - 1.75 of the coarse maps.
    return roi_align(graph, "map", 1, -2, 2)


def roi_align_behind_conv(graph: Graph, enlarge: bool) -> str:
    """The same behind a convolution that changes nothing, as the maps come from a decoder's.

    OpenVINO then keeps channels last, in which its RoiAlign takes a fraction of the time; behind an
    input of the graph, or that and Pad, channels come first.
    """
    C = graph.shape["map"][1]
    name = graph("Conv", "map", np.ones((C, 1, 1, 1), np.float32), group=C)
    return roi_align(graph, name, 1, -2, 2)


def static_slices(graph: Graph, enlarge: bool) -> str:
    """All windows of the picture: pixel (i, j) of every one is one Slice by steps of 2."""
    name, C, H, W = channels_last(graph, enlarge)
    h, w = (H - 2 * AROUND) // 2, (W - 2 * AROUND) // 2
    slices = []
    for i, j in offsets(SIDE):
        ends = np.array([i + 2 * h - 1, j + 2 * w - 1])
        slices.append(
            graph("Slice", name, np.array([i, j]), ends, np.array([0, 1]), np.array([2, 2]))
        )
    stacked = graph.reshape(graph("Concat", *slices, axis=2), h * w, SIDE * SIDE, C)
    at = graph("ReduceSum", graph("Mul", "patches", np.array([w, 1])), np.array([1]), keepdims=0)
    return windows(graph, graph("Gather", stacked, at, axis=0), C)


def resize_windows(graph: Graph, enlarge: bool) -> str:
    """5x5 coarse pixels around each patch, enlarged to 10x10, of which the middle 8x8 are kept.

    Exact, and only within the picture, where half size is twice the coarse size, as it is here:
    with another scale every window begins at another fraction of a pixel. Time is what counts.
    """
    _, C, h, w = graph.shape["map"]
    name = graph("Transpose", graph.reshape("map", C, h * w), perm=[1, 0])
    near = graph("Add", graph("Unsqueeze", "patches", np.array([1])), offsets(5) - 2)
    near = graph("Max", near, np.array([0, 0]))
    near = graph("Min", near, np.array([h - 1, w - 1]))
    at = graph("ReduceSum", graph("Mul", near, np.array([w, 1])), np.array([2]), keepdims=0)
    small = windows(graph, graph("Gather", name, at, axis=0), C, 5)
    scales = np.array([1, 1, 2, 2], np.float32)
    large = graph("Resize", small, None, scales, mode="linear", **HALF_PIXEL)
    return graph("Slice", large, np.array([1, 1]), np.array([9, 9]), np.array([2, 3]))


def conv(graph: Graph, weight: np.ndarray) -> str:
    return graph("Conv", "windows", weight)


def last(graph: Graph) -> str:
    """The windows as (P, 8, 8, C)."""
    return graph("Transpose", "windows", perm=[0, 2, 3, 1])


def im2col(graph: Graph, weight: np.ndarray) -> str:
    """A row of 9 * C numbers for every pixel that is left, times a matrix (9 * C, 24)."""
    P, C = graph.shape["windows"][:2]
    first, nine = offsets(LEFT) @ [SIDE, 1], offsets(KERNEL) @ [SIDE, 1]
    rows = graph.reshape(last(graph), P, SIDE * SIDE, C)
    rows = graph("Gather", rows, (first[:, None] + nine).reshape(-1), axis=1)
    matrix = weight.transpose(2, 3, 1, 0).reshape(KERNEL * KERNEL * C, OUT)
    y = graph("MatMul", graph.reshape(rows, P * LEFT * LEFT, KERNEL * KERNEL * C), matrix)
    return windows(graph, graph.reshape(y, P, LEFT * LEFT, OUT), OUT, LEFT)


def row_by_row(graph: Graph, weight: np.ndarray) -> str:
    """Three rows of a window times one matrix (3 * 8 * C, 6 * 24), for 6 rows: 8/3 of the work."""
    P, C = graph.shape["windows"][:2]
    matrix = np.zeros((KERNEL, SIDE, C, LEFT, OUT), np.float32)
    for x, k in product(range(LEFT), range(KERNEL)):
        matrix[:, x + k, :, x] = weight[:, :, :, k].transpose(2, 1, 0)
    matrix = matrix.reshape(KERNEL * SIDE * C, LEFT * OUT)
    flat = graph.reshape(last(graph), P, SIDE * SIDE * C)
    rows = []
    for y in range(LEFT):
        begin, end = y * SIDE * C, (y + KERNEL) * SIDE * C
        part = graph("Slice", flat, np.array([begin]), np.array([end]), np.array([1]))
        rows.append(graph("MatMul", part, matrix))
    y = graph.reshape(graph("Concat", *rows, axis=1), P, LEFT * LEFT, OUT)
    return windows(graph, y, OUT, LEFT)


class Way(NamedTuple):
    """What writes a graph and names its output, and how far from numpy that may be."""

    write: Callable[..., str]
    inside: float = 1e-5
    border: float = 1e-5


REPEATS = float("inf")  # pixels beyond the border, where others have zeros
MAPS = {
    "GatherND": Way(gather_nd),
    "Gather of rows": Way(gather_rows),
    "RoiAlign": Way(roi_align_padded),
    "static slices": Way(static_slices),
}
COARSE_MAPS = {
    **MAPS,
    "RoiAlign on coarse maps": Way(roi_align_coarse, 1e-4, REPEATS),
    "RoiAlign on coarse maps, behind a Conv": Way(roi_align_behind_conv, 1e-4, REPEATS),
    "Resize on small tensors": Way(resize_windows, float("inf"), REPEATS),
}
CONVOLUTIONS = {
    "Conv": Way(conv, 1e-4),
    "MatMul of im2col rows": Way(im2col, 1e-4),
    "one MatMul per window row": Way(row_by_row, 1e-4),
}
WAYS = {HALF: MAPS, COARSE: COARSE_MAPS, CONVOLUTION: CONVOLUTIONS}


class Case(NamedTuple):
    """What all ways of a kind take and should give, and which windows lie within the picture."""

    inputs: dict[str, np.ndarray]
    expected: np.ndarray
    within: np.ndarray
    argument: object  # of Way.write


def twice(x: np.ndarray, axis: int) -> np.ndarray:
    """Twice as many numbers along an axis, linear between the middles of pixels."""
    x = np.moveaxis(x, axis, 0)
    around = np.concatenate([x[:1], x, x[-1:]])
    both = [0.25 * around[:-2] + 0.75 * x, 0.75 * x + 0.25 * around[2:]]
    y = np.stack(both, 1).reshape(2 * len(x), *x.shape[1:]).astype(np.float32)
    return np.moveaxis(y, 0, axis)


def cut(half: np.ndarray, patches: np.ndarray) -> np.ndarray:
    """The windows (P, C, 8, 8) of a map (C, H, W), by numpy."""
    x = np.pad(half, ((0, 0), (AROUND, AROUND), (AROUND, AROUND)))
    every = np.lib.stride_tricks.sliding_window_view(x, (SIDE, SIDE), (1, 2))
    y, x = 2 * patches.T
    return np.ascontiguousarray(every[:, y, x].swapaxes(0, 1))


def case(what: str, at: Setting) -> Case:
    """The inputs of a kind, drawn with one seed."""
    draw = np.random.default_rng(0)
    h, w = at.coarse[1:]
    chosen = draw.choice(h * w, at.patches, replace=False)
    patches = np.stack([chosen // w, chosen % w], 1)
    within = ((patches >= 2) & (patches < [h - 2, w - 2])).all(1)
    if what == CONVOLUTION:
        x = draw.random((at.patches, at.half[0], SIDE, SIDE), np.float32)
        weight = draw.standard_normal((OUT, at.half[0], KERNEL, KERNEL), np.float32)
        weight /= np.float32(weight[0].size ** 0.5)
        y = F.conv2d(torch.from_numpy(x), torch.from_numpy(weight)).numpy()
        return Case({"windows": x}, y, np.ones(at.patches, bool), weight)
    enlarge = what == COARSE
    x = draw.random(at.coarse if enlarge else at.half, np.float32)
    half = twice(twice(x, 1), 2) if enlarge else x
    return Case({"map": x[None], "patches": patches}, cut(half, patches), within, enlarge)


def onnxruntime_run(model: bytes, inputs: dict[str, np.ndarray], threads: int) -> Run:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)[0]


def openvino_run(model: bytes, inputs: dict[str, np.ndarray], threads: int) -> Run:
    core = openvino_core()
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    compiled = core.compile_model(core.read_model(model), "CPU", options | {"NUM_STREAMS": 1})
    return lambda: compiled(inputs, share_inputs=True, share_outputs=True)[0]


def prepared(way: Way, at: Case, threads: int) -> Iterator[tuple[str, Run]]:
    """A way in each runtime, ready to run."""
    graph = Graph(**at.inputs)
    model = graph.model(way.write(graph, at.argument))
    for runtime, run in zip(RUNTIMES, (onnxruntime_run, openvino_run), strict=True):
        yield runtime, run(model, at.inputs, threads)


def differences(name: str, way: Way, at: Case, run: Run) -> tuple[float, float]:
    """The largest inside and at the border, 0 where there are no such windows.

    Raises ValueError where they are larger than they may be.
    """
    found = np.asarray(run())
    if found.shape != at.expected.shape:
        raise ValueError(f"{name} gave {found.shape}, not {at.expected.shape}")
    error = np.abs(found - at.expected).max((1, 2, 3))
    inside = float(error[at.within].max(initial=0))
    border = float(error[~at.within].max(initial=0))
    if not (inside <= way.inside and border <= way.border):
        raise ValueError(f"{name} differs by {inside:.1e} inside, {border:.1e} at the border")
    return inside, border


def rows(what: str, at: Setting, rounds: int, threads: int) -> Iterator[list[str]]:
    """The rows of a kind: one for each way."""
    ways, given = WAYS[what], case(what, at)
    runs: dict[str, Run] = {}
    errors: dict[str, tuple[float, float]] = {}
    for name, way in ways.items():
        found = []
        for runtime, run in prepared(way, given, threads):
            runs[f"{runtime} {name}"] = run
            found.append(differences(f"{name} in {runtime}", way, given, run))
        errors[name] = max(x for x, _ in found), max(x for _, x in found)
    times, _ = medians(runs, rounds, time.perf_counter)
    first = next(iter(ways))
    for name in ways:
        took = [times[f"{runtime} {name}"] for runtime in RUNTIMES]
        of = [times[f"{runtime} {first}"] for runtime in RUNTIMES]
        inside, border = errors[name]
        yield [
            what,
            name,
            *(f"{x * 1e3:.1f}" for x in took),
            *(f"{x / y:.2f}" for x, y in zip(took, of, strict=True)),
            f"{inside:.1e}",
            "" if given.within.all() else f"{border:.1e}",
        ]


def asked(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--setting", choices=list(SETTINGS), default="hd", help="sizes")
    parser.add_argument("--quick", action="store_true", help="sides and patches a tenth of that")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Print the table."""
    options = asked(words)
    at = SETTINGS[options.setting]
    at = at.tenth() if options.quick else at
    print("| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS))
    for what in WAYS:
        for row in rows(what, at, options.rounds, options.threads):
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
