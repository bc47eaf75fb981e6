"""What training on N GPUs needs and waits for: loader cores, disk, network; a small simulation.

    python benchmarks/scale.py [--gpus 1 8 64] [--backbone resnet50] [--decode-ms 92]
        [--cores-per-gpu 8] [--network-gbit 100] [--latency-us 20] [--speed 1.0]

The stages are the paper's four (Lin et al. 2021, table 8), and so is the default speed of a GPU:
samples a second follow from the paper's hours on one RTX 2080 Ti; --speed multiplies them. Costs
of data are those of docs/scale.md; give your own (`benchmarks/loading.py` and
`benchmarks/training.py` measure them). Every step the loaders of each GPU make its batch ahead, in
times that vary, and the step ends when the slowest GPU has its gradients and their sum has gone
around.
"""

import argparse
from typing import NamedTuple

import numpy as np

PARAMETERS = {"mobilenetv2": 5_006_839, "resnet50": 40_247_703, "resnet101": 59_239_831}
BATCHNORMS = {"mobilenetv2": 63, "resnet50": 65, "resnet101": 116}  # layers: SyncBatchNorm's rounds
AHEAD = 2  # batches that loaders may be ahead, for each GPU
OVERLAP = 0.5  # of the gradients' way is hidden behind the backward pass
STEPS = 300  # simulated


class Stage(NamedTuple):
    """A stage of the paper: samples an epoch, epochs, hours on one GPU, batch over all GPUs."""

    name: str
    samples: int
    epochs: int
    hours: float
    batch: int

    @property
    def rate(self) -> float:
        """Samples a second on one GPU."""
        return self.samples * self.epochs / self.hours / 3600


STAGES = [
    Stage("base, VideoMatte240K", 240_709, 8, 24, 8),
    Stage("refine, VideoMatte240K", 240_709, 1, 12, 4),
    Stage("refine, PhotoMatte13K", 13_665, 25, 8, 4),
    # Its samples an epoch are not published: as many as fit its hours at the second stage's rate.
    Stage("refine, Distinctions-646", 5_350, 30, 8, 4),
]


class Costs(NamedTuple):
    """What a machine and a data set cost; see the options of `main`."""

    decode: float  # core seconds a sample: read, decode, resize, crop
    vary: float  # standard deviation of that, as a share
    sample_bytes: float  # read from disk
    gradient_bytes: float
    cores: int  # loader cores for each GPU
    network: float  # bytes a second
    latency: float  # seconds
    norms: int
    speed: float


def exchange(costs: Costs, gpus: int) -> float:
    """Seconds to sum gradients in a ring and statistics of every BatchNorm twice."""
    if gpus == 1:
        return 0.0
    ring = 2 * (gpus - 1) / gpus * costs.gradient_bytes / costs.network
    hops = 2 * np.ceil(np.log2(gpus)) * costs.latency
    return float((1 - OVERLAP) * ring + hops * (1 + 2 * costs.norms))


def simulate(costs: Costs, gpus: int, batch: int, compute: float) -> tuple[float, float]:
    """Seconds a step, and the share of it that GPUs wait for data.

    batch: samples of one GPU. compute: its seconds. Loaders work in parallel, one sample a core.
    """
    rng = np.random.default_rng(0)
    spread = np.sqrt(np.log1p(costs.vary**2))
    made = rng.lognormal(np.log(costs.decode) - spread**2 / 2, spread, [STEPS, gpus, batch])
    ready = np.zeros(gpus)  # when the loaders of each GPU finish the batch they are at
    ended = np.zeros(STEPS + 1)
    waited = 0.0
    for step in range(STEPS):
        # A batch is begun when the one before is done and there is room for it.
        room = ended[max(step - AHEAD, 0)]
        ready = np.maximum(ready, room) + made[step].sum(1) / costs.cores
        begin = np.maximum(ready, ended[step])
        waited += float(begin.max() - ended[step])
        ended[step + 1] = begin.max() + compute + exchange(costs, gpus)
    return float(ended[-1] / STEPS), waited / float(ended[-1])


def row(stage: Stage, costs: Costs, gpus: int) -> list[str]:
    """What a stage needs and waits for on some GPUs; the batch grows with them when it must."""
    batch = max(stage.batch // gpus, 2 if stage.batch < 8 else 1)
    compute = batch / (stage.rate * costs.speed)
    seconds, waits = simulate(costs, gpus, batch, compute)
    rate = gpus * batch / seconds
    ideal = gpus * stage.rate * costs.speed  # what the GPUs could take
    sent = exchange(costs, gpus)
    shares = {"data": waits, "network": sent / seconds, "GPU": compute / seconds}
    return [
        stage.name,
        str(gpus),
        str(gpus * batch),
        f"{rate:.1f}",
        f"{stage.samples * stage.epochs / rate / 3600:.1f}",
        f"{ideal * costs.decode:.0f}",
        f"{ideal * costs.sample_bytes / 1e6:.0f}",
        f"{1e3 * sent:.1f}",
        ", ".join(f"{name} {share:.0%}" for name, share in shares.items()),
    ]


HEAD = "stage,GPUs,batch,samples/s,hours,cores to keep up,disk MB/s,network ms a step,a step is"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--backbone", choices=list(PARAMETERS), default="mobilenetv2")
    parser.add_argument("--decode-ms", type=float, default=92, help="core time a sample")
    parser.add_argument("--decode-vary", type=float, default=0.3, help="its deviation, a share")
    parser.add_argument("--sample-mb", type=float, default=2.8, help="read for a sample")
    parser.add_argument("--cores-per-gpu", type=int, default=8)
    parser.add_argument("--network-gbit", type=float, default=100, help="of each GPU")
    parser.add_argument("--latency-us", type=float, default=20)
    parser.add_argument("--speed", type=float, default=1, help="of a GPU, in RTX 2080 Ti")
    options = parser.parse_args()
    costs = Costs(
        options.decode_ms / 1e3,
        options.decode_vary,
        options.sample_mb * 1e6,
        4.0 * PARAMETERS[options.backbone],
        options.cores_per_gpu,
        options.network_gbit * 1e9 / 8,
        options.latency_us / 1e6,
        BATCHNORMS[options.backbone],
        options.speed,
    )
    head = HEAD.split(",")
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for stage in STAGES:
        for gpus in options.gpus:
            print("| " + " | ".join(row(stage, costs, gpus)) + " |")


if __name__ == "__main__":
    main()
