"""Several trainings one after the other, each from the best checkpoint of the one before."""

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from bgm.cli.curriculum.ledger import NAME, Ledger, train
from bgm.cli.error_messages import sentence
from bgm.cli.launch import as_typed
from bgm.console import is_first, say
from bgm.errors import BadInput, Stopped
from bgm.paths import conf_dir
from bgm.train.checkpointing.checkpoint_files import newest
from bgm.train.resume import data_of

R = TypeVar("R")
OWN = ("experiment", "stages", "init", "resume")  # words of the curriculum that no stage inherits


def staged(body: Callable[[DictConfig], R]) -> Callable[[DictConfig], R | None]:
    """body for one training; a config with stages runs all of them, each as its own process.

    Its own process: DDP starts its ranks anew, and memory is given back between the stages.
    """

    @functools.wraps(body)
    def run(cfg: DictConfig) -> R | None:
        if not cfg.get("stages"):
            return body(cfg)
        stages = words(cfg.stages, list(HydraConfig.get().overrides.task), cfg.init)
        if cfg.resume:
            raise BadInput(
                "a curriculum goes on by itself in its run folder: hydra.run.dir=..., not resume"
            )
        curriculum(Path(HydraConfig.get().runtime.output_dir), stages)
        return None

    return run


def words(stages: Mapping, given: list[str], init: str | None) -> dict[str, list[str]]:
    """The command line of every stage: its experiment, what was given to all, what is its own.

    stages: name -> {experiment: ..., and what differs, nested as in a config}. given: overrides on
    the curriculum's own command line. init: where the first stage starts.
    """
    found = {}
    for name, changes in stages.items():
        own = dict(flat(OmegaConf.to_container(changes, resolve=True)))
        if not own.get("experiment"):
            raise BadInput(f"stage {name} of the curriculum has no experiment")
        inherited = [w for w in given if key(w).split(".")[0] not in OWN and key(w) not in own]
        experiment = f"experiment={own.pop('experiment')}"
        found[str(name)] = [experiment, *inherited, *(f"{k}={v}" for k, v in own.items())]
    if init:
        found[next(iter(found))].append(f"init={init}")
    return found


def key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def flat(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and values, as Hydra's grammar has them."""
    if isinstance(node, Mapping):
        for name, child in node.items():
            yield from flat(child, f"{path}.{name}" if path else str(name))
    else:
        yield path, spelled(node)


def spelled(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(spelled, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def curriculum(
    folder: Path, stages: dict[str, list[str]], run: Callable[[list[str], int], int] = train
) -> None:
    """Run the stages that folder/curriculum.json does not call done; the first from its last step.

    stages: name -> words of train.py. run: trains with these words, as stage number n; returns an
    exit code. Raises BadInput before the first training for whatever would stop a later
    stage: data that are not there, a network that the next stage does not expect, a folder
    with a curriculum of other settings, or one that is being worked on.
    """
    with Ledger(folder, stages) as ledger:
        check(stages, ledger)
        for number, (name, given) in enumerate(stages.items(), 1):
            title = f"stage {number} of {len(stages)}, {name}"
            if ledger.done(name):
                say(f"{title}: done, {ledger.best(name)}")
                continue
            start = ledger.start(name)
            say("\n" + ", ".join([title, *start]))
            ledger.note(name, "running")
            code = run([*given, *start, f"hydra.run.dir={ledger.place(name)}"], number)
            if code == Stopped.code:
                raise Stopped(f"{title} was stopped: the same command goes on from there")
            if code:
                raise BadInput(
                    f"{title} ended with exit code {code}; the same command with "
                    f"hydra.run.dir={folder} goes on from there"
                )
            ledger.finish(name)
    say(f"\nall {len(stages)} stages are done ({folder / NAME}): {ledger.best(name)}")


def check(stages: dict[str, list[str]], ledger: Ledger) -> None:
    """Raise BadInput for what would stop a stage that is still to come."""
    before = None  # name and kind of the stage before
    for number, (name, given) in enumerate(stages.items(), 1):
        where = f"stage {number} of {len(stages)} ({name})"
        try:
            cfg = composed(given)
            if not ledger.done(name) and is_first():
                underway = newest(ledger.place(name))
                data_of(cfg, underway and str(underway))
        except Exception as error:
            said = sentence(error)
            if said is None:
                raise
            raise BadInput(f"{where}: {said}") from None
        expected = cfg.init_is
        if before is not None and expected and before[1] not in expected:
            raise BadInput(
                f"{where} starts from a {' or '.join(expected)} network, but {before[0]} before it "
                f"trains a {before[1]} one"
            )
        before = name, "refined" if "refiner" in cfg.network else "base"


def composed(given: list[str]) -> DictConfig:
    """The config that train.py makes of these words."""
    if (
        GlobalHydra.instance().is_initialized()
    ):  # inside of hydra.main, which cannot be entered twice
        return compose("train", as_typed(given))
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return compose("train", as_typed(given))
