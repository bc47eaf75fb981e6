"""Kill a training at chosen events, resume it each time, compare with one that was left alone.

    python benchmarks/kills.py                  every event once, with SIGKILL and SIGTERM
    python benchmarks/kills.py --events step    that event only
    python benchmarks/kills.py --random 20      20 of them, at random steps

An event is a place in the training (EVENTS), in which the process sends itself the signal: before,
in and after the writing of a checkpoint, in a step, in a validation, after the last step.
Everything in the last checkpoint must be equal to the bit: weights, average, optimiser, schedule,
loops, and the state of the random generators at the end. Processes are forked from one that has
imported everything: a life costs seconds.
"""

import argparse
import os
import random
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch.utils.tensorboard

import train
from bgm.cli.launch import command_line
from bgm.errors import Stopped

TINY = """
experiment=small trainer=default trainer.accelerator=cpu batch_size=2 workers=1
callbacks.grow.phases=[[0.0,32,40],[0.5,40,48]] augment.size=48 augment.crop=[32,48]
valid_augment.size=48 valid_augment.crop=[32,48] data.valid_length=4
data.train.size=6 data.train.length=14 trainer.val_check_interval=3
callbacks.last.every_n_steps=2 callbacks.pictures.every_n_steps=1000
callbacks.ema.update_every_n_steps=2
callbacks.progress._target_=bgm.train.LineProgress
+callbacks.kill._target_=benchmarks.kills.KillAt
"""
KILL = "BGM_KILL"
# What a kill may change: when and where it ran, how often an epoch or a validation was started.
APART = re.compile(r"\.bgm_card|dirpath|val_loop|epoch_progress\.\w+\.(ready|started)")
EVENTS = ("step", "validation", "before_write", "in_write", "between_renames", "after_write")
EVENTS += ("train_end",)


class Kill(NamedTuple):
    """A signal that a training sends itself in an event, from a step on."""

    event: str
    step: int
    sign: int = signal.SIGKILL


class KillAt(pl.Callback):
    """Sends this process the signal of KILL, in its event, once, when so many steps are done.

    KILL is in the environment: a run that is resumed must have the config that it had.
    """

    def __init__(self) -> None:
        self.event, step, sign = os.environ.get(KILL, ",-1,0").split(",")
        self.step, self.sign, self.sent = int(step), int(sign), False

    def happens(self, event: str, trainer) -> None:
        if event == self.event and trainer.global_step >= self.step and not self.sent:
            self.sent = True
            sys.stdout.flush()
            os.kill(os.getpid(), self.sign)

    def on_train_batch_end(self, trainer, *args: Any) -> None:
        self.happens("step", trainer)

    def on_validation_batch_end(self, trainer, *args: Any) -> None:
        self.happens("validation", trainer)

    def on_train_end(self, trainer, module) -> None:
        self.happens("train_end", trainer)

    def on_fit_start(self, trainer, module) -> None:
        files = trainer.strategy.checkpoint_io
        write, fsync, replace = files.save_checkpoint, os.fsync, os.replace

        def save_checkpoint(*args: Any, **options: Any) -> None:
            self.happens("before_write", trainer)
            write(*args, **options)
            self.happens("after_write", trainer)

        def instead(event: str, function: Callable) -> Callable:
            def call(*args: Any) -> None:
                if str(args[0]).endswith(".last.ckpt.part") or event == "in_write":
                    self.happens(event, trainer)
                function(*args)

            return call

        files.save_checkpoint = save_checkpoint
        os.fsync = instead("in_write", fsync)  # called with all written, but not renamed
        os.replace = instead("between_renames", replace)  # the file before has its other name


def live(words: list[str], log: Path, kill: Kill | None = None) -> int:
    """Train in a process of its own; its exit code, negative: the signal that killed it."""
    child = os.fork()
    if child == 0:
        if kill is not None:
            os.environ[KILL] = f"{kill.event},{kill.step},{int(kill.sign)}"
        with open(log, "ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os._exit(train_here(words))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def train_here(words: list[str]) -> int:
    """Run train.py with a command line; leave the random generators' states in the run folder."""
    sys.argv[1:] = words
    try:
        with command_line():
            train.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        return 70
    folder = next(a.partition("=")[2] for a in words if a.startswith("hydra.run.dir="))
    states = {
        "torch": torch.get_rng_state(),
        "numpy": str(np.random.get_state()),  # noqa: NPY002 - the global one is what we look at
        "python": str(random.getstate()),
    }
    torch.save(states, Path(folder) / "generators.pt")
    sys.stdout.flush()
    return 0


def differences(one: Any, two: Any, key: str = "") -> Iterator[str]:
    """Keys at which two checkpoints are not equal to the bit."""
    if APART.search(key):
        return
    if isinstance(one, dict) and isinstance(two, dict):
        for name in sorted({*one, *two}, key=str):
            yield from differences(one.get(name), two.get(name), f"{key}.{name}")
    elif isinstance(one, list | tuple) and isinstance(two, list | tuple) and len(one) == len(two):
        for index, (a, b) in enumerate(zip(one, two, strict=True)):
            yield from differences(a, b, f"{key}[{index}]")
    elif isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        if one.dtype != two.dtype or not torch.equal(one, two):
            yield key
    elif one != two:
        yield f"{key}: {one} is not {two}"


def planned(steps: int, events: Container[str], count: int | None, seed: int) -> list[Kill]:
    """Every one of events once, two of them with SIGTERM, too; or so many at random."""
    if count is None:
        kills = [Kill("step", 1), Kill("step", 2, signal.SIGTERM), Kill("validation", 3)]
        kills += [Kill("before_write", 4), Kill("in_write", 5), Kill("between_renames", 6)]
        kills += [Kill("validation", 6, signal.SIGTERM), Kill("after_write", 8)]
        kills.append(Kill("train_end", steps))
        return [kill for kill in kills if kill.event in events]
    rng = random.Random(seed)
    at = sorted(rng.randint(1, steps) for _ in range(count))
    signs = (signal.SIGKILL, signal.SIGTERM)
    return [Kill(rng.choice(EVENTS[:-1]), step, rng.choice(signs)) for step in at]


def main() -> int:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("--random", type=int, metavar="N", help="so many kills, at random steps")
    ask.add_argument("--events", nargs="+", choices=EVENTS, default=EVENTS)
    ask.add_argument("--steps", type=int, default=9)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("override", nargs="*", help="of the config, for both runs")
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log"
        words = [*TINY.split(), f"trainer.max_steps={asked.steps}", *asked.override]
        words.append(f"data_root={folder / 'data'}")
        if live([*words, f"hydra.run.dir={folder / 'alone'}"], log):
            sys.exit(log.read_text())
        words += [f"hydra.run.dir={folder / 'killed'}", "resume=auto"]
        kills = planned(asked.steps, asked.events, asked.random, asked.seed)
        for kill in kills:
            code = live(words, log, kill)
            print(f"{kill.event} at step {kill.step}, {signal.Signals(kill.sign).name}: "
                  f"exit code {code}", flush=True)  # fmt: skip
            # After the last step SIGTERM has nothing to stop.
            expected = (-kill.sign, Stopped.code) if kill.sign == signal.SIGTERM else (-kill.sign,)
            if code not in (*expected, *([0] if asked.random else [])):
                print(log.read_text())
                return 1
        if live(words, log):
            sys.exit(log.read_text())
        return compare(folder / "alone", folder / "killed", len(kills))


def compare(alone: Path, killed: Path, kills: int) -> int:
    found = []
    for name in ("last.ckpt", "best.ckpt", "generators.pt"):
        pair = [torch.load(f / name, weights_only=True) for f in (alone, killed)]
        found += [f"{name}{key}" for key in differences(*pair)]
    print(f"killed {kills} times: {len(found)} differences", *found[:20], sep="\n  ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
