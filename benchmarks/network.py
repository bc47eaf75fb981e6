"""Time, memory and limit of the network, plain and optimized, in eager PyTorch and exported files.

    python benchmarks/network.py [--backbones mobilenetv2 resnet50] [--sizes hd 4k] [--rounds 10]
        [--files hd.onnx 4k.onnx] [--reference BackgroundMattingV2] [--out docs/performance]

The picture is the example's, enlarged. In every round each way runs once, so that a busy machine
slows all alike; printed are medians. Ways: `plain` (tests/plain.py: the reference's work), `net`
(as trained), `optimized` (bgm.load(optimize=True)), `still` (the plate shared between frames),
`bfloat16` (of the optimized base network), and every file of --files whose backbone_scale and
selection are those of the size, in onnxruntime and OpenVINO. `--reference` adds a checkout of
BackgroundMattingV2 with the same weights. Peak memory is that of a process of its own, above what
it holds before its first pass. With --busy all run on one thread and CPU time is counted, which
other programs disturb less. The limit: multiply-adds over the convolution rate measured here, or
the bytes of src, bgr, pha and fgr over the copy bandwidth measured here, whichever takes longer.
Backbones without shipped weights get random ones, and refine where the shipped network does.
"""

import argparse
import csv
import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests/ is no package of an installation

import bgm
from bgm import model as models
from bgm.export.targets.onnx_runtimes import onnx_metadata, open_onnx
from bgm.model import Full, MattingBase, MattingRefine, PatchRefiner, Sampling, optimize
from bgm.pictures import read_picture
from tests.plain import Plain

EXAMPLES = Path(__file__).parents[1] / "examples"
COLUMNS = [
    "backbone",
    "size",
    "select",
    "way",
    "ms",
    "fps",
    "ratio",
    "peak_MiB",
    "GMAC",
    "limit_ms",
    "share",
    "binds",
]


class Size(NamedTuple):
    height: int
    width: int
    scale: float
    sample_pixels: int


SIZES = {
    "hd": Size(1080, 1920, 1 / 4, 80_000),
    "4k": Size(2160, 3840, 1 / 8, 320_000),
    "8k": Size(4320, 7680, 1 / 16, 1_280_000),
}


class Elsewhere(nn.Module):
    """The patches that a selection takes of another network's error."""

    def __init__(self, select: nn.Module, err: Tensor):
        super().__init__()
        self.select, self.err = select, err

    def forward(self, err: Tensor) -> tuple:
        return self.select(self.err)


def pictures(size: Size, batch: int) -> tuple[Tensor, Tensor]:
    """The example's shot and plate at a size, (B, 3, H, W)."""
    pair = (
        read_picture(EXAMPLES / f"{name}.jpg")[None].float() / 255 for name in ("shot", "plate")
    )
    shape = [size.height, size.width]
    src, bgr = (F.interpolate(x, size=shape, mode="bicubic").clamp(0, 1) for x in pair)
    return src.repeat(batch, 1, 1, 1), bgr.repeat(batch, 1, 1, 1)


def network(backbone: str, size: Size, select: str, src: Tensor, bgr: Tensor) -> MattingRefine:
    """The shipped network, or a random one that refines where the shipped network does."""
    net = bgm.load("mobilenetv2").at_scale(size.scale)
    net.refiner.select = Full() if select == "full" else Sampling(size.sample_pixels).eval()
    if backbone != "mobilenetv2":
        with torch.no_grad():
            err = optimize(net)(src, bgr).err_sm
        err = F.interpolate(err, size=[size.height // 4, size.width // 4], mode="bilinear")
        other = MattingRefine(MattingBase(getattr(models, backbone)()), PatchRefiner(), size.scale)
        other.refiner.select = Elsewhere(net.refiner.select, err)
        net = other.eval()
    return net


def ways(
    net: MattingRefine,
    files: list[str],
    reference: str | None,
    src: Tensor,
    bgr: Tensor,
    size: Size,
) -> dict[str, Callable[[], object]]:
    """What is timed, by name; the first is what all else is compared with."""
    plain, fast, half = Plain(net).eval(), optimize(net), optimize(net, torch.bfloat16)
    plate = fast.plate(bgr)
    found: dict[str, Callable[[], object]] = {
        "plain": lambda: plain(src, bgr),
        "net": lambda: net(src, bgr),
        "optimized": lambda: fast(src, bgr),
        "still": lambda: fast(src, plate),
        "bfloat16": lambda: half(src, bgr),
    }
    if reference:
        theirs = referenced(reference, net, size)
        found["reference"] = lambda: theirs(src, bgr)
    for file in files:
        about = onnx_metadata(Path(file))
        select = json.loads(about["select"])
        if (
            float(about["backbone_scale"]) != size.scale
            or select != {"name": "Sampling", "sample_pixels": size.sample_pixels}
            or not isinstance(net.refiner.select, Sampling)
        ):
            continue
        name = Path(file).stem
        opened = open_onnx(file)
        found[f"{name} onnxruntime"] = lambda run=opened: run(src, bgr)
        for hint in ("f32", "bf16"):
            run = in_openvino(file, hint)
            feed = {"src": src.numpy(), "bgr": bgr.numpy()}
            found[f"{name} openvino {hint}"] = lambda run=run, feed=feed: run(feed)
    return found


def in_openvino(file: str, hint: str) -> Callable:
    """A file compiled by OpenVINO in a precision."""
    import openvino

    core = openvino.Core()
    threads = torch.get_num_threads()
    asked = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads}
    return core.compile_model(core.read_model(file), "CPU", asked)


def referenced(path: str, net: MattingRefine, size: Size) -> nn.Module:
    """A checkout's network with the weights of ours."""
    sys.path.insert(0, path)
    from model import MattingRefine as Theirs

    name = {"MobileNetV2Encoder": "mobilenetv2"}.get(type(net.base.backbone).__name__)
    if name is None:
        name = "resnet50" if len(net.base.backbone.layer3) == 6 else "resnet101"
    theirs = Theirs(name, size.scale, "sampling", size.sample_pixels)
    theirs.load_state_dict({k.removeprefix("base."): v for k, v in net.state_dict().items()})
    return theirs.eval()


def medians(
    found: dict[str, Callable], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Median seconds of each, all in turns."""
    times: dict[str, list[float]] = {name: [] for name in found}
    for turn in range(rounds + 1):  # the first warms up
        for name, run in found.items():
            start = clock()
            run()
            if turn:
                times[name].append(clock() - start)
    return {name: statistics.median(x) for name, x in times.items()}


def peak(
    options: argparse.Namespace, backbone: str, size: str, select: str, way: str, send
) -> None:
    """MiB that one pass needs above what its process held before."""
    torch.set_num_threads(options.threads)
    src, bgr = pictures(SIZES[size], options.batch)
    with torch.no_grad():
        net = network(backbone, SIZES[size], select, src, bgr)
        run = ways(net, options.files, options.reference, src, bgr, SIZES[size])[way]
        # A first pass at a small size would warm up what is allocated once; it is part of the cost.
        before = (
            int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
        )
        run()
    send.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before)


def peak_of(*job) -> float:
    """`peak` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=peak, args=(*job, send))
    process.start()
    send.close()
    try:
        return receive.recv()
    except EOFError:  # killed, for want of memory
        return float("nan")
    finally:
        process.join()


def macs(run: Callable[[], object]) -> float:
    """Multiply-adds of convolutions and matrix products in one pass; 0 where torch sees none."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2


def rates(clock: Callable[[], float]) -> tuple[float, float]:
    """Multiply-adds a second of a large convolution or matrix product, bytes a second of a copy."""
    last = torch.channels_last
    x = torch.rand(1, 64, 270, 480).contiguous(memory_format=last)
    weight, square = torch.rand(64, 64, 3, 3).contiguous(memory_format=last), torch.rand(2048, 2048)
    big = torch.rand(2**26)
    other = torch.empty_like(big)
    found = medians(
        {
            "conv": lambda: F.conv2d(x, weight, padding=1),
            "matmul": lambda: square @ square,
            "copy": lambda: other.copy_(big),
        },
        10,
        clock,
    )
    convolved = x.numel() * 64 * 9 / found["conv"]
    return max(convolved, 2048**3 / found["matmul"]), 2 * 4 * big.numel() / found["copy"]


def rows(options: argparse.Namespace):
    """One row for every backbone, size, selection and way."""
    clock = time.process_time if options.busy else time.perf_counter
    rate, bandwidth = rates(clock)
    print(f"{rate / 1e9:.0f} GMAC/s, {bandwidth / 1e9:.1f} GB/s copied", file=sys.stderr)
    for backbone in options.backbones:
        for name in options.sizes:
            size = SIZES[name]
            for select in options.selects:
                src, bgr = pictures(size, options.batch)
                net = network(backbone, size, select, src, bgr)
                found = ways(net, options.files, options.reference, src, bgr, size)
                counted = macs(found["optimized"])
                moved = 4 * (src.numel() + bgr.numel() + src.numel() * 4 / 3)
                limit = max(counted / rate, moved / bandwidth)
                binds = "arithmetic" if counted / rate > moved / bandwidth else "memory"
                times = medians(found, options.rounds, clock)
                for way, seconds in times.items():
                    own = macs(found[way]) / 1e9
                    held = 0.0
                    if options.memory:
                        held = peak_of(options, backbone, name, select, way)
                    row = [backbone, name, select, way, f"{seconds * 1e3:.0f}"]
                    row += [f"{options.batch / seconds:.2f}", f"{times['plain'] / seconds:.2f}"]
                    row += [f"{held:.0f}", f"{own:.1f}", f"{limit * 1e3:.0f}"]
                    yield [*row, f"{limit / seconds:.2f}", binds]


def plot(found: list[list[str]], path: Path) -> None:
    """Ratios to the plain pass as bars."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 0.28 * len(found) + 1))
    axes.barh([" ".join(r[:4]) for r in found][::-1], [float(r[6]) for r in found][::-1])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("times as fast as the plain pass")
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Print the table, and write OUT.csv and OUT.svg."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    backbones = ["mobilenetv2", "resnet50", "resnet101"]
    parser.add_argument("--backbones", nargs="+", choices=backbones, default=backbones)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=["hd", "4k"])
    parser.add_argument("--selects", nargs="+", choices=["sampling", "full"], default=["sampling"])
    parser.add_argument("--files", nargs="*", default=[], help="exported .onnx files")
    parser.add_argument("--reference", help="a checkout of BackgroundMattingV2")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--busy", action="store_true", help="one thread's CPU time: busy machine")
    parser.add_argument("--memory", action="store_true", help="also peak memory: a process a row")
    parser.add_argument("--out", type=Path, help="OUT.csv and OUT.svg")
    options = parser.parse_args()
    if options.busy:
        options.threads = 1
    torch.set_num_threads(options.threads)
    print("| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS))
    found = []
    with torch.no_grad():
        for row in rows(options):
            found.append(row)
            print("| " + " | ".join(row) + " |", flush=True)
    if options.out:
        with options.out.with_suffix(".csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *found])
        plot(found, options.out.with_suffix(".svg"))


if __name__ == "__main__":
    main()
