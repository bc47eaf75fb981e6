"""Train while something goes wrong every so many steps; say what was named and what was lost.

    python benchmarks/faults.py --faults 10 --every 24

Pictures are made, damaged and deleted (nobody puts them back), workers killed, the disk filled (a
small tmpfs where we may mount one, else a limit on the size of files), the run terminated and
killed, and started again with resume=auto, as a supervisor would. Faults come by steps, which the
training tells of: never after a time. Exit code 1: a fault that the log does not name, steps lost
beyond the last checkpoint, a start that did not go on from it, or a run that ended otherwise than
it was made to.
"""

import argparse
import atexit
import contextlib
import itertools
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bgm.data import Procedural
from bgm.train.checkpointing.checkpoint_files import newest_checkpoint, read_lazily

ROOT = Path(__file__).resolve().parents[1]
EVERY = 4  # steps from checkpoint to checkpoint
SMALL = f"""
experiment=base backbone=mobilenetv2 trainer.accelerator=cpu batch_size=2 workers=2
augment.size=64 augment.crop=[48,64] valid_augment.size=64 valid_augment.crop=[48,64]
trainer.max_epochs=-1 trainer.max_steps=1000000 trainer.check_val_every_n_epoch=null
trainer.val_check_interval=40 callbacks.last.every_n_steps={EVERY} data.checkup_seconds=1
callbacks.progress._target_=bgm.train.LineProgress +callbacks.progress.seconds=0 resume=auto
"""


class Fault(NamedTuple):
    """Something that goes wrong, and what the log has to say about it."""

    name: str
    make: Callable[[], None]
    named: str


class End(NamedTuple):
    """How a run ended: its code, the step of its newest checkpoint, the steps after that one."""

    code: int
    kept: int
    lost: int
    said: int  # how long the log was


class Run:
    """A training whose log is read line by line, and that is started again when it ends."""

    def __init__(self, args: list[str], folder: Path, log: Path) -> None:
        self.args = [*args, f"hydra.run.dir={folder}"]
        self.folder, self.log = folder, log
        self.ends: list[End] = []
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "train.py", *self.args],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def read_line(self) -> str:
        """The next line of the training, which is waited for; "" when all its processes ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        with open(self.log, "ab") as log:
            log.write(line)
        return line.decode(errors="replace")

    def go_on(self, count: int) -> None:
        """Wait until the training has told of so many more steps, started again where it ended."""
        while count > 0:
            line = self.read_line()
            count -= len(steps(line))
            if not line:
                self.ended()
                if len(self.ends) > 1 and self.ends[-1].kept == self.ends[-2].kept:
                    sys.exit(f"the training does not go on:\n{self.said()[-3000:]}")
                self.start()

    def ended(self) -> None:
        """Note how it ended, and what its checkpoint lacks."""
        self.process.wait()
        said, path = self.said(), newest_checkpoint(self.folder)
        kept = read_lazily(path)["global_step"] if path else 0
        lost = (steps(said) or [0])[-1] - kept
        self.ends.append(End(self.process.returncode, kept, lost, len(said)))

    def went_on(self) -> bool:
        """Whether each start but the first did first the step after the newest checkpoint's."""
        said = self.said()
        firsts = [steps(said[end.said :])[:1] for end in self.ends]
        return all(first in ([], [e.kept + 1]) for e, first in zip(self.ends, firsts, strict=True))

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()

    def workers(self) -> list[int]:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        same = Path(f"/proc/{pid}/cmdline").read_bytes()
        return [int(c) for c in children if Path(f"/proc/{c}/cmdline").read_bytes() == same]


def steps(said: str) -> list[int]:
    """The numbers of the steps that a log tells of; a validation's line tells of none."""
    return [int(n) for n in re.findall(r"^step (\d+)/(?!.*validated$)", said, re.MULTILINE)]


def write_pictures(root: Path) -> None:
    """Subjects as JPEG and PNG, backgrounds as JPEG, for training and validation."""
    for name, count, seed in (("train", 8, 0), ("valid", 2, 1)):
        data = Procedural(96, count, seed)
        places = [root / name / "fgr", root / name / "pha", root / "backgrounds" / name]
        for place in places:
            place.mkdir(parents=True)
        for n in range(count):
            sample = data[n]
            fgr, pha, bgr = (sample.fgr, sample.pha[0], sample.bgr)
            pictures = (fgr.permute(1, 2, 0), pha, bgr.permute(1, 2, 0))
            for place, x, suffix in zip(places, pictures, ("jpg", "png", "jpg"), strict=True):
                Image.fromarray(x.numpy()).save(place / f"{n}.{suffix}", quality=95)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int = 420) -> Iterator[bool]:
    """folder as a file system of its own, where we may; whether it is one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, check=False) if os.geteuid() == 0 else None
    ours = done is not None and done.returncode == 0
    try:
        yield ours
    finally:
        if ours:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(disk: Path, ours: bool, run: Run) -> None:
    """No room for a checkpoint, for the steps of two."""
    pid = run.process.pid
    if not ours:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))
        run.go_on(2 * EVERY)
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        return
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))
    run.go_on(2 * EVERY)
    ballast.unlink()


def faults(root: Path, disk: Path, ours: bool, run: Run) -> Iterator[Fault]:
    """What goes wrong, in turn, with other files each time."""
    dice, left = random.Random(0), list(range(8))
    dice.shuffle(left)
    full = "No space left on device" if ours else "File too large"

    def cut(path: Path) -> None:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    while True:
        if len(left) > 4:
            jpeg, png = (
                root / "train" / f"fgr/{left.pop()}.jpg",
                root / f"train/pha/{left.pop()}.png",
            )
            lost = "another sample takes its place"
            yield Fault("truncated JPEG", lambda p=jpeg: cut(p), rf"fgr/{jpeg.name}.*{lost}")
            yield Fault("file vanishes", png.unlink, rf"pha/{png.name}.*{lost}")
        yield Fault("worker killed", lambda: os.kill(run.workers()[0], signal.SIGKILL),
                    "a worker that loads data was lost")  # fmt: skip
        yield Fault("disk full", lambda: fill(disk, ours, run),
                    rf"could not be written \({full}")  # fmt: skip
        yield Fault("SIGTERM", lambda: os.kill(run.process.pid, signal.SIGTERM),
                    "stopped by SIGTERM")  # fmt: skip
        yield Fault("SIGKILL", lambda: os.kill(run.process.pid, signal.SIGKILL), "resuming")


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--faults", type=int, default=10)
    ask.add_argument("--every", type=int, default=24, help="steps from fault to fault")
    ask.add_argument("--log", default="faults.log")
    given = ask.parse_args()
    log = Path(given.log).absolute()
    log.write_text("")
    with tempfile.TemporaryDirectory() as name, small_disk(Path(name) / "disk") as ours:
        root, disk = Path(name) / "pictures", Path(name) / "disk"
        write_pictures(root)
        run = Run([*SMALL.split(), f"data_root={root}"], disk / "run", log)
        atexit.register(run.kill)
        made = itertools.islice(faults(root, disk, ours, run), given.faults)
        unnamed, table = suffered(run, made, given.every)
        run.process.send_signal(signal.SIGTERM)
        while run.read_line():
            pass
        run.ended()
        last = run.ends[-1]
    Console(width=150).print(table)
    lost, codes = max(end.lost for end in run.ends), [end.code for end in run.ends]
    print(f"{len(steps(run.said()))} steps, ends {codes}, at most {lost} steps were done again "
          f"({EVERY} between checkpoints), each start went on from the newest one: "
          f"{run.went_on()}; the last is of step {last.kept}; not named: {unnamed}")  # fmt: skip
    expected = all(code in (75, 1, -signal.SIGKILL) for code in codes) and run.went_on()
    return int(bool(unnamed) or not expected or lost > EVERY or not last.kept)


def suffered(run: Run, made: Iterator[Fault], every: int) -> tuple[list[str], Table]:
    """Make faults, one every so many steps; those that the log does not name, and a table."""
    table = Table("step", "fault", "in the log", "ends", "steps done again")
    unnamed = []
    run.go_on(2 * EVERY)
    for fault in made:
        before, ends, now = len(run.said()), len(run.ends), steps(run.said())[-1]
        fault.make()
        run.go_on(every)
        found = re.search(rf"^.*{fault.named}.*$", run.said()[before:], re.MULTILINE)
        unnamed += [] if found else [fault.name]
        said = found[0].rpartition("] - ")[2] if found else "NOT NAMED"
        said = re.sub(r"/\S*/", "", said)[:80]  # without folders
        new = run.ends[ends:]
        row = [str(now), fault.name, said, *(" ".join(str(e[i]) for e in new) for i in (0, 2))]
        print(*row, sep="  ", flush=True)
        table.add_row(*row)
    return unnamed, table


if __name__ == "__main__":
    sys.exit(main())
