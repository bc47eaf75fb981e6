"""Time, memory and limit of the network, plain and optimized, in eager PyTorch and exported files.

    python benchmarks/network.py --everything --out docs/performance     # a quarter of an hour
    python benchmarks/network.py [--backbones mobilenetv2 resnet50] [--sizes hd 4k]
        [--selects sampling full] [--batch 1] [--training 1024] [--files hd.onnx]
        [--reference BackgroundMattingV2] [--compile] [--memory] [--rounds 10] [--out TABLE]

The picture is the example's, enlarged. Each case has a process of its own, and in every round each
way of a case runs once, so that a busy machine slows all alike; printed are medians. Ways: `plain`
(tests/plain.py: the reference's work), `net` (as trained), `optimized` (bgm.load(optimize=True)),
`still` (the plate shared between frames), `bfloat16` (of the optimized base network), `compiled`
(--compile: that through torch.compile), `reference` (a checkout of BackgroundMattingV2 with the
same weights) and every file of --files whose backbone_scale and selection are those of the case, in
onnxruntime and OpenVINO. --training SIDES: forward and backward of the refine stage, batch 2.
`4k, k of hd` is timed in turns with hd, of_hd is how many times as long it takes. alpha_error: the
mean absolute difference of alpha from that of the case's first way.

Rows are added to OUT.csv case by case, and a case that is there is not measured again: a run that
was stopped goes on. Peak memory is that of a process of its own, above what it holds before its
first pass. With --busy all run on one thread and CPU time is counted, which other programs disturb
less. The limit: the fewest multiply-adds of any way over the convolution rate measured here, or the
bytes of src, bgr, pha and fgr over the copy bandwidth measured here, whichever takes longer.
Backbones without shipped weights get random ones, and refine where the shipped network does.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests/ is no package of an installation

from benchmarks.measure import Run, in_own_process, macs, medians, peak_memory, rates
from benchmarks.network_cases import (
    BACKBONES,
    SELECTS,
    SIZES,
    TRAINING,
    Case,
    Setting,
    Size,
    exported,
    file_ways,
    prepared,
    setting,
)
from bgm.run_info import hardware, versions

COLUMNS = ["backbone", "size", "select", "batch", "way", "rounds", "ms", "fps", "ratio", "of_hd"]
COLUMNS += ["peak_MiB", "GMAC", "limit_ms", "share", "binds", "alpha_error"]
KEY = len(Case._fields) - 1  # columns that name a case
COUNTED = ("plain", "net", "optimized")  # of the others torch sees no or the same multiply-adds
WAYS = (*COUNTED, "still", "bfloat16")
SAME_K = "4k, k of hd"


def everything(options: argparse.Namespace) -> list[Case]:
    """All that docs/performance.md tells of, what matters most first."""
    more = (*WAYS, *(["reference"] if options.reference else []))
    still_more = (*more, "compiled")
    return [
        Case("mobilenetv2", "hd", "sampling", 1, still_more),
        Case("mobilenetv2", "4k", "sampling", 1, still_more),
        Case("mobilenetv2", SAME_K, "sampling", 1, ("net", "optimized")),
        *training([512, 1024, 2048]),
        *(Case("mobilenetv2", size, "thresholding", 1, more) for size in ("hd", "4k")),
        *(Case("mobilenetv2", size, "full", 1, COUNTED) for size in ("hd", "4k")),
        Case("mobilenetv2", "hd", "sampling", 8, COUNTED),
        Case("mobilenetv2", "8k", "sampling", 1, ("net", "optimized")),
        *(
            Case(backbone, size, "sampling", 1, WAYS)
            for backbone, size in product(BACKBONES[1:], ("hd", "4k"))
        ),
    ]


def chosen(options: argparse.Namespace) -> list[Case]:
    """The cases that the command line names."""
    ways = WAYS + ("compiled",) * options.compile
    cases = []
    for backbone, size, select in product(options.backbones, options.sizes, options.selects):
        theirs = ("reference",) * (options.reference is not None and backbone == "mobilenetv2")
        cases.append(Case(backbone, size, select, options.batch, ways + theirs))
    return cases + training(options.training)


def training(sides: list[int]) -> list[Case]:
    return [Case("mobilenetv2", f"{x} px", TRAINING, 2, ("plain", "net")) for x in sides]


def measured(
    case: Case, options: argparse.Namespace, rate: float, bandwidth: float, sizes: dict[str, Size]
) -> list[list[str]]:
    """The rows of a case, as text, wherever it runs: sizes are those of the program that asks."""
    torch.set_num_threads(options.threads)
    SIZES.update(sizes)
    with torch.no_grad():
        return [[str(x) for x in row] for row in rows(case, options, rate, bandwidth)]


def rows(case: Case, options: argparse.Namespace, rate: float, bandwidth: float) -> Iterator[list]:
    """The rows of a case: one for each way."""
    at = setting(case, SIZES[case.size])
    ways = case.ways + file_ways(case, options.files)
    runs = {way: prepared(way, at, options.reference) for way in ways}
    if case.size == SAME_K:
        hd = setting(case, SIZES["hd"])
        runs |= {f"hd {way}": prepared(way, hd, None) for way in ways}
    counted = {way: macs(runs[way]) for way in COUNTED if way in runs}
    fewest = min([*counted.values(), *with_gradients(at, counted)])
    moved = 4 * (2 * at.src.numel() + at.src.numel() * 4 / 3)
    limit = max(fewest / rate, moved / bandwidth)
    binds = "arithmetic" if fewest / rate > moved / bandwidth else "memory"
    if case.select == TRAINING:  # backward's bytes and products are not counted
        counted, limit, binds = {}, 0.0, ""
    alphas = {} if at.net.training else {way: runs[way]() for way in ways}
    clock = time.process_time if options.busy else time.perf_counter
    times, rounds = medians(runs, options.rounds, clock, options.seconds)
    for way in ways:
        took = times[way]
        measured = options.memory and way in COUNTED and case.batch <= 2
        held = peak_memory(alone, way, case, SIZES[case.size], options) if measured else None
        own = counted.get(way) or (None if " " in way else counted.get("optimized"))
        yield [
            *case.key,
            Path(way).name,
            rounds,
            f"{took * 1e3:.0f}",
            f"{case.batch / took:.2f}",
            f"{times['plain'] / took:.2f}" if "plain" in times else "",
            f"{took / times[f'hd {way}']:.2f}" if f"hd {way}" in times else "",
            "" if held is None else f"{held:.0f}",
            f"{own / 1e9:.1f}" if own else "",
            f"{limit * 1e3:.0f}" if limit else "",
            f"{limit / took:.2f}" if limit else "",
            binds,
            f"{(alphas[way] - alphas[ways[0]]).abs().mean():.1e}" if alphas else "",
        ]


def with_gradients(at: Setting, counted: dict[str, float]) -> list[float]:
    """Multiply-adds of the network as it runs under autograd: its matrices hold fewer zeros."""
    if "net" not in counted or at.net.training:
        return []
    at.net.requires_grad_(False)  # no graph is kept
    with torch.enable_grad():
        return [macs(lambda: at.net(at.src, at.bgr))]


def alone(way: str, case: Case, size: Size, options: argparse.Namespace) -> Run:
    """A way of a case, ready to run, in a process of its own."""
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    return prepared(way, setting(case, size), options.reference)


def plot(found: list[list[str]], path: Path) -> None:
    """A panel a case: how many times as fast as plain its ways are, as bars."""
    import matplotlib.pyplot as plt

    panels: dict[tuple[str, ...], list[list[str]]] = {}
    for row in found:
        if row[COLUMNS.index("ratio")]:
            panels.setdefault(tuple(row[:KEY]), []).append(row)
    plt.rcParams["svg.fonttype"] = "none"
    heights = [len(rows) for rows in panels.values()]
    figure, axes = plt.subplots(
        len(panels), figsize=(8, 0.25 * sum(heights) + 0.6 * len(panels) + 0.5), squeeze=False,
        sharex=True, height_ratios=heights, layout="constrained",
    )  # fmt: skip
    for axis, (key, ways) in zip(axes[:, 0], panels.items(), strict=True):
        ratios = [float(row[COLUMNS.index("ratio")]) for row in ways]
        bars = axis.barh([row[KEY] for row in ways], ratios)
        axis.bar_label(bars, padding=2)
        axis.invert_yaxis()
        axis.axvline(1, color="black", linewidth=0.8)
        axis.set_title(", ".join((*key[:3], f"batch {key[3]}")), loc="left", fontsize="medium")
    axes[-1, 0].set_xlabel("times as fast as the plain pass")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def read(path: Path | None) -> list[list[str]]:
    """The rows that an earlier run wrote; none where the columns are others."""
    if path is None or not path.exists():
        return []
    with path.open(newline="") as file:
        columns, *found = csv.reader(file)
    return found if columns == COLUMNS else []


def write(path: Path, found: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *found])


def asked(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--everything", action="store_true", help="of docs/performance.md")
    parser.add_argument("--backbones", nargs="+", choices=BACKBONES, default=BACKBONES)
    parser.add_argument("--sizes", nargs="*", choices=list(SIZES), default=["hd", "4k"])
    parser.add_argument("--selects", nargs="+", choices=SELECTS, default=["sampling"])
    parser.add_argument("--training", nargs="+", type=int, choices=[512, 1024, 2048], default=[])
    parser.add_argument("--files", nargs="*", default=[], help="exported .onnx files")
    parser.add_argument("--export", type=Path, help="--everything: folder of hd.onnx and 4k.onnx")
    parser.add_argument("--reference", help="a checkout of BackgroundMattingV2")
    parser.add_argument("--compile", action="store_true", help="also through torch.compile")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60, help="a case: then no further round")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--busy", action="store_true", help="one thread's CPU time: busy machine")
    parser.add_argument("--memory", action="store_true", help="also peak memory: a process a row")
    parser.add_argument("--out", type=Path, help="OUT.csv and OUT.svg")
    options = parser.parse_args(words)
    if options.everything:
        ignored = ["backbones", "selects", "batch", "compile", "training", "sizes"]
        if given := [x for x in ignored if getattr(options, x) != parser.get_default(x)]:
            parser.error(f"--everything has its own --{' --'.join(given)}")
    if options.reference and not options.everything and options.backbones != ["mobilenetv2"]:
        parser.error("--reference is timed with --backbones mobilenetv2")
    options.threads = 1 if options.busy else options.threads
    options.memory = options.memory or options.everything
    if options.everything and not options.files:
        options.files = exported(options.export or Path("build"), options.sizes)
    return options


def main(words: list[str] | None = None) -> None:
    """Print the table, and write OUT.csv and OUT.svg."""
    options = asked(words)
    torch.set_num_threads(options.threads)
    print(json.dumps({**hardware(), **versions(), "threads": options.threads}), file=sys.stderr)
    rate, bandwidth = rates(time.process_time if options.busy else time.perf_counter)
    print(f"{rate / 1e9:.0f} GMAC/s, {bandwidth / 1e9:.1f} GB/s copied", file=sys.stderr)
    table = options.out and options.out.with_suffix(".csv")
    found = read(table)
    done = {tuple(row[:KEY]) for row in found}
    print("| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS))
    for case in everything(options) if options.everything else chosen(options):
        if case.key in done:
            continue
        start = time.monotonic()
        found_now = in_own_process(measured, case, options, rate, bandwidth, SIZES)
        for row in found_now:
            print("| " + " | ".join(row) + " |", flush=True)
        print(f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        found += found_now
        if table:
            write(table, found)
    if options.out:
        plot(found, options.out.with_suffix(".svg"))


if __name__ == "__main__":
    main()
