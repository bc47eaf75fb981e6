"""Time predict.py on a video, whole and in its parts, and watch its memory.

    python benchmarks/predict.py                          # 1080p, 60 frames, as predict.py runs
    python benchmarks/predict.py --memory 1000            # flat memory over 1,000 small frames

Decoding, network and encoding run at the same time, so the whole should last little longer than
its slowest part (target: 1.15 times). Parts are run alone, with all the cores that they want, in
turns with the whole, --repeat times. Every figure is seconds a frame, the median of the rounds,
ratio that of the rounds' own ratios; the last line is JSON.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bgm.infer.any_size import Matte, run_any_size
from bgm.infer.foreground import network_foreground
from bgm.infer.frame import Frame
from bgm.infer.models import open_model
from bgm.infer.predict import StillPlate, predict
from bgm.infer.sources import Clip, video
from bgm.infer.video_sink import VideoSink
from bgm.pictures import to_uint8, write_png
from bgm.video.encode import VideoFile


def write_shot(folder: Path, size: tuple[int, int], frames: int) -> Clip:
    """A clip of a textured scene with a subject that moves, and its plate."""
    H, W = size
    rng = torch.Generator().manual_seed(0)
    scene, subject = (
        F.interpolate(torch.rand(1, 3, H // 12, W // 12, generator=rng), (H, W), mode="bicubic")[0]
        for _ in range(2)
    )
    y, x = torch.meshgrid(torch.linspace(-1, 1, H), torch.linspace(-1, 1, W), indexing="ij")
    write_png(folder / "plate.png", to_uint8(scene.clamp(0, 1)))
    file = VideoFile(folder / "shot.mp4", "h264", size, Fraction(30))
    for i in range(frames):
        centre = 0.4 * i / frames - 0.2
        inside = torch.sigmoid(60 * (0.25 - (x - centre) ** 2 * 3 - y**2 * 0.4))
        file.write((scene + inside * (subject - scene)).clamp(0, 1), Fraction(i, 30))
    file.finish()
    return video(folder / "shot.mp4", folder / "plate.png")


def seconds(work: Callable[[], int]) -> float:
    """Seconds a frame; `work` returns its number of frames."""
    start = time.perf_counter()
    count = work()
    return (time.perf_counter() - start) / count


def sink_of(clip: Clip, folder: Path, args: argparse.Namespace) -> VideoSink:
    return VideoSink(folder, args.outputs, rate=clip.rate, output=args.output, source=clip.header)


def speed(folder: Path, args: argparse.Namespace) -> dict[str, float]:
    clip = write_shot(folder, (args.height, args.width), args.frames)
    model = open_model(args.model, device="cpu", optimize=True)
    frames = [frame for _, frame in zip(range(4), clip, strict=False)]
    net = StillPlate(model.net)
    plate = frames[0].bgr.input_on("cpu")

    def matte(frame: Frame) -> Matte:
        found = run_any_size(net, frame.src.input_on("cpu"), plate, scale=model.scale)
        return network_foreground(frame, found)

    mattes = [matte(frame) for frame in frames]

    def network() -> int:
        for i in range(args.frames):
            matte(frames[i % len(frames)])
        return args.frames

    def encoding() -> int:
        with sink_of(clip, folder / "encoded", args) as sink:
            for i in range(args.frames):
                frame = frames[i % len(frames)]._replace(time=Fraction(i, 30))
                sink.write(frame, mattes[i % len(frames)])
        return args.frames

    def whole() -> int:
        sink = sink_of(clip, folder / "whole", args)
        at_once = model.frames_at_once(args.at_once, args.frames)
        return predict(
            model.net, clip, sink, scale=model.scale, say=lambda _: None, at_once=at_once
        )

    works = {
        "decoding": lambda: sum(1 for _ in clip),
        "network": network,
        "encoding": encoding,
        "whole": whole,
    }
    rounds = [{name: seconds(work) for name, work in works.items()} for _ in range(args.repeat)]
    for taken in rounds:
        taken["ratio"] = taken["whole"] / max(taken[name] for name in works if name != "whole")
    return {name: statistics.median(taken[name] for taken in rounds) for name in rounds[0]}


def memory(folder: Path, args: argparse.Namespace) -> dict[str, float]:
    """Resident memory in MiB after a tenth of the frames, at most after that, and what it grew."""
    clip = write_shot(folder, (180, 320), args.memory)
    model = open_model(args.model, device="cpu", optimize=True)
    resident: list[float] = []

    def watched() -> Iterator[Frame]:
        for frame in clip:
            resident.append(resident_mib())
            yield frame

    predict(
        model.net,
        watched(),
        sink_of(clip, folder / "out", args),
        say=lambda _: None,
        at_once=model.frames_at_once(args.at_once, args.memory),
    )
    early = max(resident[: args.memory // 10])
    return {
        "frames": args.memory,
        "early": early,
        "most": max(resident),
        "grown": max(resident) - early,
    }


def resident_mib() -> float:
    """Resident memory of this process in MiB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS in /proc/self/status")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=2, help="frames that the network computes")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--outputs", nargs="+", default=["com"])
    parser.add_argument("--output", default="prores")
    parser.add_argument("--memory", type=int, default=0, help="frames; instead of the times")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        found = (memory if args.memory else speed)(Path(folder), args)
    for name, value in found.items():
        print(f"{name:10} {value:.3f}")
    print(json.dumps({"threads": args.threads, "output": args.output, **found}))


if __name__ == "__main__":
    main()
