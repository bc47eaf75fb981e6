"""What exported files cost in the browser: bytes, MAD, milliseconds a frame.

    python -m benchmarks.browser MODEL.onnx ... [--scenes 12] [--rounds 5] [--threads 1 2]

MAD x1e3 is of onnxruntime on the CPU, over composites of the people that come with bgm before
procedural places with a shot's noise, at 256x144, 512x288 and 960x540 (--scenes 0: none). Times are
of the page of `make browser` in headless Chromium, after a first frame that does not count
(--rounds 0: none): milliseconds of session.run, the best of the rounds, and the processor time of
all of Chromium in a round, reading and composing pixels included, which other programs disturb
less.
"""

import argparse
import os
import statistics
from pathlib import Path
from typing import Any

import torch

from bgm.export.targets.onnx_runtimes import open_onnx
from bgm.infer.any_size import run_any_size
from tests.examples.chromium import SITE, asynchronous, opened, person_in_a_place, served

SIZES = ((144, 256), (288, 512), (540, 960))
NOISE = 0.01

# A page of its own for each file, so that no other one's threads are there.
PREPARE = """
const [model, threads, width, height] = args;
const {Matting} = await import(new URL('./matting.js', location.href));
window.picture = async (fill) => {
  const canvas = new OffscreenCanvas(width, height), drawn = canvas.getContext('2d');
  for (let i = 0; i < 40; i++) {
    drawn.fillStyle = `hsl(${(i * 37) % 360} 60% ${30 + i}%)`;
    drawn.fillRect((i * 97) % width, (i * 53) % height, width / 5, height / 5);
  }
  drawn.fillStyle = 'crimson';
  if (fill) drawn.fillRect(width / 3, height / 4, width / 4, height);
  return createImageBitmap(canvas);
};
window.matting?.close();
window.matting = new Matting();
await matting.load(model, 'wasm', threads);
await matting.plate([await picture(false)], 0);
await matting.matte(await picture(true), 0);
"""
FRAMES = """
const found = [];
for (let round = 0; round < args[0]; round++)
  found.push((await matting.matte(await picture(true), 0)).milliseconds);
return found;
"""


@torch.no_grad()
def mad(model: Path, size: tuple[int, int], scenes: int) -> float:
    """Mean over scenes of |pha - true| x 1000."""
    run = open_onnx(model)
    errors = []
    for seed in range(scenes):
        src, bgr, pha = person_in_a_place(size, seed)
        noise = torch.randn(src.shape, generator=torch.Generator().manual_seed(seed)) * NOISE
        found = run_any_size(run, (src + noise).clamp(0, 1)[None], bgr[None])
        errors.append(float((found.pha[0] - pha).abs().mean()) * 1000)
    return statistics.mean(errors)


def processor_seconds(root: int) -> float:
    """Of a process and all its descendants so far (Linux)."""
    parents, spent = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        pid = int(stat.parent.name)
        parents[pid], spent[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(spent.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")


def times(driver: Any, model: str, threads: int, rounds: int) -> list[str]:
    """Best milliseconds of the network and processor milliseconds a frame, by size."""
    cells = []
    for height, width in SIZES:
        asynchronous(driver, PREPARE, model, threads, width, height)
        before = processor_seconds(driver.service.process.pid)
        found = asynchronous(driver, FRAMES, rounds)
        spent = processor_seconds(driver.service.process.pid) - before
        cells.append(f"{min(found):.0f} ({1000 * spent / rounds:.0f})")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    options = parser.parse_args()
    for model in options.models if options.scenes else ():
        errors = [f"{mad(model, size, options.scenes):.2f}" for size in SIZES]
        size = model.stat().st_size / 1e6
        print(f"{model.name}: {size:.2f} MB, MAD x1e3 {' '.join(errors)}", flush=True)
    if not options.rounds:
        return
    measured = SITE / "measured"
    measured.mkdir(exist_ok=True)
    with served(SITE) as url, opened(url) as driver:
        driver.set_script_timeout(600)
        for model in options.models:
            link = measured / model.name
            link.unlink(missing_ok=True)
            link.symlink_to(model.resolve())
            for threads in options.threads:
                cells = times(driver, f"measured/{model.name}", threads, options.rounds)
                print(f"{model.name}, threads {threads}: ms {' '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
