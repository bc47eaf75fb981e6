"""Several trainings one after the other, each from the best checkpoint of the one before."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from bgm.cli.error_messages import error_message
from bgm.cli.launch import compose_config
from bgm.console import say
from bgm.errors import BadInput, Stopped
from bgm.files import write_text
from bgm.paths import script_path
from bgm.train.checkpointing.checkpoint_files import newest_checkpoint
from bgm.train.resume import build_data

OWN = ("experiment", "stages", "init", "resume")  # words of the curriculum that no stage inherits
FREE = ("data_root", "workers")  # may change from one start to the next
FINISHED = "finished.json"  # in the folder of a stage that is done: the words it was trained with
Stages = dict[str, list[str]]  # name -> words of train.py


def run_curriculum(cfg: DictConfig) -> None:
    """Run all stages of a config that has some, each training as its own process.

    Its own process: DDP starts its ranks anew, and memory is given back between the stages.
    """
    processes = max(int(os.environ.get(key, 1)) for key in ("WORLD_SIZE", "SLURM_NTASKS"))
    if processes > 1:
        raise BadInput(
            f"a curriculum is started as one process, found {processes}: trainer=ddp starts the "
            "others of each stage; under torchrun or srun, start its stages one by one"
        )
    if cfg.resume:
        raise BadInput(
            "a curriculum goes on by itself in its run folder: hydra.run.dir=..., not resume"
        )
    stages = command_lines(cfg.stages, list(HydraConfig.get().overrides.task), cfg.init)
    run_stages(Path(HydraConfig.get().runtime.output_dir), stages)


def command_lines(stages: Mapping, given: list[str], init: str | None) -> Stages:
    """The words of train.py for every stage: its experiment, what differs in it, what all have.

    stages: name -> {experiment: ..., and what differs, nested as in a config}. given: overrides on
    the curriculum's own command line; they beat the stage's own words unless those were given
    there, too (+stages.NAME.KEY=VALUE). init: where the first stage starts.
    """
    lines = {}
    words = {word.partition("=")[0].lstrip("+~"): word for word in given}
    for name, changes in stages.items():
        own = dict(flat(OmegaConf.to_container(changes, resolve=True)))
        if not own.get("experiment"):
            raise BadInput(f"stage {name} of the curriculum has no experiment")
        experiment = f"experiment={own.pop('experiment')}"
        for_all = {
            key: word
            for key, word in words.items()
            if key.split(".")[0] not in OWN and f"stages.{name}.{key}" not in words
        }
        differing = [f"{key}={value}" for key, value in own.items() if key not in for_all]
        lines[str(name)] = [experiment, *differing, *for_all.values()]
    if init:
        lines[next(iter(lines))].append(f"init={init}")
    return lines


def flat(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and values, as Hydra's grammar has them."""
    if isinstance(node, Mapping):
        for name, child in node.items():
            yield from flat(child, f"{path}.{name}" if path else str(name))
    else:
        yield path, node if isinstance(node, str) else json.dumps(node, separators=(",", ":"))


def train(words: list[str]) -> int:
    """Run train.py with these words as its own process; returns its exit code.

    A SIGTERM or a Ctrl-C that arrives here is the training's to act on: it is waited for, and this
    process ends as stopped, whatever the training's exit code.
    """
    signals: list[int] = []
    command = [sys.executable, str(script_path("train")), *words]
    child = subprocess.Popen(command, close_fds=False)

    def pass_on(signum: int, _: object) -> None:
        signals.append(signum)
        if signum == signal.SIGTERM:  # Ctrl-C has reached it by itself
            child.terminate()

    before = {s: signal.signal(s, pass_on) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        code = child.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    return Stopped.code if signals else code


def run_stages(folder: Path, stages: Stages, run: Callable[[list[str]], int] = train) -> None:
    """Run the stages that are not finished below folder; the first from its last step.

    run: trains with these words; returns an exit code. Raises BadInput before the first training
    for whatever would stop a later stage: data that are not there, a network that the next stage
    does not expect, a folder with a curriculum of other settings, or one that is being worked on.
    """
    folders = {name: folder / f"{n}-{name}" for n, name in enumerate(stages, 1)}
    with locked(folder):
        done = finished(folder, folders, stages)
        check_stages(stages, folders, done)
        best: Path | None = None  # what the stage before hands on
        for number, (name, words) in enumerate(stages.items(), 1):
            title, place = f"stage {number} of {len(stages)}, {name}", folders[name]
            if name not in done:
                # resume=auto: from its own folder's newest whole checkpoint, if it has one
                start = [*([f"init={best}"] if best else []), "resume=auto"]
                say("\n" + ", ".join([title, *start]))
                code = run([*words, *start, f"hydra.run.dir={place}"])
                if code == Stopped.code:
                    raise Stopped(f"{title} was stopped: the same command goes on from there")
                if code:
                    raise BadInput(
                        f"{title} ended with exit code {code}; the same command with "
                        f"hydra.run.dir={folder} goes on from there"
                    )
            # It hands on its best, or its last if it never validated.
            files = [x for x in (place / "best.ckpt", place / "last.ckpt") if x.is_file()]
            if not files:
                raise BadInput(f"{title} left neither best.ckpt nor last.ckpt in {place}")
            best = files[0]
            write_text(place / FINISHED, json.dumps(words, indent=1) + "\n")
            say(f"{title}: done, {best}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A folder that no other curriculum works in until the block ends; BadInput where one does.

    Nor do the trainings that a curriculum left running when it was killed: they inherit the lock.
    """
    import fcntl  # not on Windows

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".curriculum.lock", "w") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadInput(
                f"{folder} is being worked on by another curriculum, or by a training that it left"
            ) from None
        yield


def finished(folder: Path, folders: Mapping[str, Path], stages: Stages) -> list[str]:
    """The stages that are done; BadInput where other words were trained with than there are now.

    And for a folder that an older bgm began, which kept its own list of stages there.
    """
    if (folder / "curriculum.json").is_file():
        raise BadInput(
            f"{folder} holds a curriculum of an older bgm, which cannot go on: give another "
            "hydra.run.dir; its checkpoints load (init=CHECKPOINT)"
        )
    names = {place: name for name, place in folders.items()}
    done = []
    for file in sorted(folder.glob(f"*/{FINISHED}")):
        name, then = names.get(file.parent, ""), json.loads(file.read_text(encoding="utf-8"))
        then, now = (
            {word for word in words if word.partition("=")[0] not in FREE}
            for words in (then, stages.get(name, []))
        )
        if not name or then != now:
            raise BadInput(
                f"{file.parent} was trained with {', '.join(sorted(then - now)) or 'less'} and has "
                f"now {', '.join(sorted(now - then)) or 'nothing'} instead: restore it, or give "
                "another hydra.run.dir"
            )
        done.append(name)
    return done


def check_stages(stages: Stages, folders: Mapping[str, Path], done: list[str]) -> None:
    """Raise BadInput for what would stop a stage that is still to come."""
    before = None  # name and kind of the stage before
    for number, (name, words) in enumerate(stages.items(), 1):
        where = f"stage {number} of {len(stages)} ({name})"
        try:
            cfg = compose_config("train", words)
            if name not in done:
                checkpoint = newest_checkpoint(folders[name])
                build_data(cfg, str(checkpoint) if checkpoint else None)
        except Exception as error:
            message = error_message(error)
            if message is None:
                raise
            raise BadInput(f"{where}: {message}") from None
        kinds = [cfg.init_is] if isinstance(cfg.init_is, str) else cfg.init_is
        if before is not None and kinds and before[1] not in kinds:
            raise BadInput(
                f"{where} starts from a {' or '.join(kinds)} network, but {before[0]} before "
                f"it trains a {before[1]} one"
            )
        before = name, "refined" if "refiner" in cfg.network else "base"
