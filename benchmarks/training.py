"""Steps a second of training with its data, and with the same batch again: the share lost to data.

    python benchmarks/training.py --experiment demo --source files --override batch_size=4

Trains as `experiment` says (small and small_refine; name one or more), one process of one thread,
and in pairs of steps: one that loads and augments its batch, then one with the same batch again. A
busy machine slows both alike. Sources: `pool`, the demo's own, filled before; `fresh`, every sample
made anew; `files` and `shards` of procedural pictures at the demo's size, JPEG and PNG, without and
with a worker. The ratio is of the training process's CPU time, which loading and augmenting take a
share of; beside it that with the CPU time of the worker added (where all cores are busy), and that
of wall time (where every process has a core of its own, or a GPU; the worker has two steps' time).
A worker augments as well. What the ratio lacks beyond that is the first step at another size of
crops: the demo's vary, and on a CPU a step at a size that is new costs more, whatever the data come
from (`~callbacks.grow augment.crop=[96,96]` shows it).
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import Callback, seed_everything
from rich.console import Console
from rich.table import Table

from bgm.cli.launch import silence_lightning
from bgm.data import Procedural
from bgm.data.composites import Composites
from bgm.data.folders import Backgrounds, Subjects
from bgm.data.shards import pack, write_shards
from bgm.paths import conf_dir
from bgm.pictures import to_image
from bgm.types import Batch, Sample

ALONE = ["trainer=default", "trainer.logger=false", "trainer.val_check_interval=null"]
ALONE += [f"~callbacks.{name}" for name in ("best", "last", "pictures", "progress")]
PICTURES = 48  # written, and packed
SOURCES = ["pool", "fresh", "files", "shards"]
POOL = 128  # of the demo's 1024: a full pool costs the same at any size
REPEAT = 1000  # epochs too long to end
WORKERS = 1  # one for each training process: two cores, two processes


class Twice:
    """A loader's batches, each followed by what augmentation has made of it: no work for data."""

    def __init__(self, data) -> None:
        self.data, begin = data, data.train_dataloader
        self.augmented: Batch | None = None
        self.loading: list[float] = []  # CPU seconds a batch
        self.augmenting: list[float] = []
        after = data.on_after_batch_transfer

        def remember(batch: Sample | Batch, dataloader_idx: int = 0) -> Batch:
            start = time.process_time()
            self.augmented = after(batch, dataloader_idx)
            self.augmenting += [time.process_time() - start] if isinstance(batch, Sample) else []
            return self.augmented

        def began() -> Twice:
            self.loader = begin()  # only now: what it is depends on the trainer
            return self

        data.on_after_batch_transfer, data.train_dataloader = remember, began

    def __len__(self) -> int:
        return 2 * len(self.loader)

    def __iter__(self) -> Iterator[Sample | Batch]:
        start = time.process_time()
        for batch in self.loader:
            self.loading.append(time.process_time() - start)
            yield batch
            yield self.augmented
            start = time.process_time()


class Clock(Callback):
    """Wall, CPU and workers' CPU seconds from the end of a step to the end of the next."""

    def __init__(self) -> None:
        self.rows: list[list[float]] = []

    def on_train_batch_end(self, trainer, *args) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        workers = sum(cpu_of(pid) for pid in children())
        self.rows.append([time.perf_counter(), time.process_time(), workers])

    def steps(self) -> np.ndarray:
        """(pairs, 2, 3): with data and without; wall, CPU, workers' CPU. One pair warms up."""
        times = np.diff(np.array(self.rows), axis=0)[1:]  # from the end of the first pair on
        return times[: len(times) // 2 * 2].reshape(-1, 2, 3)


def children() -> list[str]:
    """Process ids of the loader's workers."""
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return path.read_text().split() if path.exists() else []


def cpu_of(pid: str) -> float:
    """CPU seconds that a process has used so far, 0 for one that has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def write_pictures(root: Path, made: Sequence[Sample]) -> tuple[Subjects, Backgrounds]:
    """Samples as files: colours and backgrounds JPEG, alpha PNG."""
    for kind in ("fgr", "pha", "bgr"):
        (root / kind).mkdir(parents=True)
    for n, sample in enumerate(made):
        to_image(sample.fgr).save(root / "fgr" / f"{n}.jpg", quality=95)
        to_image(sample.pha).save(root / "pha" / f"{n}.png")
        to_image(sample.bgr).save(root / "bgr" / f"{n}.jpg", quality=95)
    return Subjects(root), Backgrounds(root / "bgr")


def packed(root: Path, subjects: Subjects, backgrounds: Backgrounds) -> tuple[Path, Path]:
    """The same pictures as shards."""
    write_shards(root / "train", pack(subjects), 1 << 28)
    files = pack(backgrounds)
    write_shards(root / "bgr", files, 1 << 28)
    return root / "train", root / "bgr"


def sources(cfg: DictConfig, folder: Path, only: list[str]) -> Iterator[tuple[str, int, object]]:
    """(name, workers, dataset of Samples) of everything that a training is timed with."""
    train, size = cfg.data.train, cfg.augment.size
    if "dataset" in train and "pool" in only:
        pool = instantiate(train, size=POOL)
        pool.__getitems__(list(range(12 * POOL)))  # nothing of it is left to be made
        yield "pool", 0, pool
    if "dataset" in train and "fresh" in only:
        yield "fresh", 0, instantiate(train.dataset)
    if not {"files", "shards"} & set(only):
        return
    made = Procedural(size, PICTURES, 0)
    subjects, backgrounds = write_pictures(folder / "files", made.__getitems__(range(PICTURES)))
    files = Composites(subjects, backgrounds, size, repeat=REPEAT)
    train_tars, bgr_tars = packed(folder / "shards", subjects, backgrounds)
    shards = Composites(Subjects(train_tars), Backgrounds(bgr_tars), size, repeat=REPEAT)
    for workers in sorted({0, WORKERS}):
        for name, dataset in {"files": files, "shards": shards}.items():
            if name in only:
                yield name, workers, dataset


def measure(cfg: DictConfig, workers: int, dataset: object, pairs: int) -> np.ndarray:
    """(2, 5) seconds: with data, without; wall, CPU, workers' CPU, loading, augmenting."""
    seed_everything(0, verbose=False)
    options = {"train": None, "valid": None, "valid_length": None, "checkup_seconds": 0}
    data, clock = instantiate(cfg.data, workers=workers, **options), Clock()
    data.train = dataset
    twice = Twice(data)
    trainer = instantiate(cfg.trainer, max_steps=2 * pairs + 2, enable_progress_bar=False)
    trainer.callbacks.append(clock)
    trainer.fit(instantiate(cfg.stage), data)
    parts = [[np.mean(twice.loading[1:]), np.mean(twice.augmenting[1:] or [0.0])], [0.0, 0.0]]
    return np.hstack([clock.steps().mean(axis=0), parts])


def composed(experiment: str, folder: Path, overrides: list[str]) -> DictConfig:
    """The config of an experiment, on one process."""
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        words = [f"experiment={experiment}", *ALONE, f"hydra.runtime.output_dir={folder}"]
        cfg = compose("train", [*words, *overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return cfg


def main(args: list[str]) -> None:
    """Print steps a second of both, and their ratios, for every experiment and source."""
    torch.set_num_threads(1)
    silence_lightning()
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("--pairs", type=int, default=24, help="of steps")
    ask.add_argument("--experiment", nargs="+", default=["small", "small_refine"])
    ask.add_argument("--source", nargs="+", choices=SOURCES, default=SOURCES)
    ask.add_argument("--override", nargs="*", default=[], help="of the config")
    asked = ask.parse_args(args)
    console = Console(width=max(Console().width, 120))
    table = Table("experiment", "source", "workers", "with/s", "same batch/s", "ratio")
    for name in ("loading", "augmenting", "ratio + workers' CPU", "ratio, wall"):
        table.add_column(name, justify="right")
    for experiment in asked.experiment:
        with tempfile.TemporaryDirectory() as temporary:
            cfg = composed(experiment, Path(temporary), asked.override)
            for source, workers, dataset in sources(cfg, Path(temporary), asked.source):
                times = measure(cfg, workers, dataset, asked.pairs)
                (w, cpu, kids, load, augment), (w0, cpu0, kids0, *_) = times
                ratios = [cpu0 / cpu, load / cpu, augment / cpu]
                ratios += [cpu0 / (cpu + kids + kids0), w0 / w]
                row = [experiment, source, str(workers), f"{1 / cpu:.2f}", f"{1 / cpu0:.2f}"]
                row += [f"{ratio:.2f}" for ratio in ratios]
                print(*row, sep="  ", file=sys.stderr, flush=True)
                table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
