"""Kill a training at random moments, resume it each time, compare with one that was left alone.

    python benchmarks/kills.py --kills 20

The moments are random in time, in steps, checkpoints and validations alike, the signal is SIGKILL
or SIGTERM. Everything in the last checkpoint must be equal to the bit:
weights, average, optimiser, schedule, loops, and the state of the random generators at the end.
Processes are forked from one that has imported everything: a life costs seconds.
"""

import argparse
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch.utils.tensorboard

import train
from bgm.cli.launch import command_line
from bgm.errors import Stopped

TINY = """
experiment=demo trainer=default trainer.accelerator=cpu batch_size=2 workers=1
callbacks.grow.phases=[[0.0,32,40],[0.5,40,48]] augment.size=48 augment.crop=[32,48]
valid_augment.size=48 valid_augment.crop=[32,48] data.valid_length=4
data.train.size=6 data.train.length=14 trainer.val_check_interval=3
callbacks.last.every_n_steps=2 callbacks.pictures.every_n_steps=1000
callbacks.ema.update_every_n_steps=2
callbacks.progress._target_=bgm.train.LineProgress +callbacks.progress.seconds=0
"""
# What a kill may change: when and where it ran, how often an epoch or a validation was begun.
APART = re.compile(
    r"\.bgm_card|dirpath|_model_path|best_k_models|val_loop|epoch_progress\.\w+\.(ready|started)"
)


class Life(NamedTuple):
    """How one process of a run ended."""

    code: int  # its exit code, negative: the signal that killed it
    step: int  # the last step that it spoke of
    said: str


def live(args: list[str], moment: float | None = None, sign: int = signal.SIGKILL) -> Life:
    """Train in a process of its own; moment: seconds after its first word to send it a signal."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os._exit(train_here(args))
    os.close(writer)
    said, kill_at = b"", None
    os.set_blocking(reader, False)
    while True:
        try:
            got = os.read(reader, 65536)
            if not got:
                break
            said += got
        except BlockingIOError:
            time.sleep(0.005)
        now = time.monotonic()
        if moment is not None and kill_at is None and b"step " in said:
            kill_at = now + moment
        if kill_at is not None and now >= kill_at:
            os.kill(child, sign)
            kill_at = float("inf")
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break  # its workers may hold the pipe a little longer
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(reader)
    text = said.decode()
    steps = [int(n) for n in re.findall(r"^step (\d+)/", text, re.MULTILINE)]
    return Life(code, steps[-1] if steps else 0, text)


def train_here(args: list[str]) -> int:
    """Run train.py's main with a command line; leaves the random generators' states beside."""
    sys.argv[1:] = args
    try:
        with command_line():
            train.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        return 70
    folder = next(a.partition("=")[2] for a in args if a.startswith("hydra.run.dir="))
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


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--kills", type=int, default=20)
    ask.add_argument("--steps", type=int, default=80)  # more than 20 lives get to
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--verbose", action="store_true")
    ask.add_argument("override", nargs="*", help="of the config, for both runs")
    given = ask.parse_args()
    dice = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        args = [*TINY.split(), f"trainer.max_steps={given.steps}", *given.override]
        args.append(f"data_root={folder / 'data'}")
        start = time.monotonic()
        alone = live([*args, f"hydra.run.dir={folder / 'alone'}"])
        if alone.code:
            sys.exit(alone.said)
        span = max(1.0, (time.monotonic() - start) * 3 / given.steps)
        args += [f"hydra.run.dir={folder / 'killed'}", "resume=auto"]
        kills = 0
        while kills < given.kills:
            moment, sign = dice.uniform(0, span), dice.choice((signal.SIGKILL, signal.SIGTERM))
            life = live(args, moment, sign)
            if life.code == 0:
                break  # it was quicker
            print(f"{sign.name} {moment:.2f} s after the first step: code {life.code}, "
                  f"at step {life.step}", flush=True)  # fmt: skip
            if given.verbose or life.code not in (-sign, Stopped.code):
                print(life.said)
            if life.code not in (-sign, Stopped.code):
                return 1
            kills += 1
        else:
            life = live(args)
        if life.code:
            sys.exit(life.said)
        return compare(folder / "alone", folder / "killed", kills)


def compare(alone: Path, killed: Path, kills: int) -> int:
    found = []
    for name in ("last.ckpt", "generators.pt"):
        pair = [torch.load(f / name, weights_only=True) for f in (alone, killed)]
        found += [f"{name}{key}" for key in differences(*pair)]
    print(f"killed {kills} times: {len(found)} differences", *found[:20], sep="\n  ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
