"""Several trainings one after the other, each from the best checkpoint of the one before."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from bgm.cli.curriculum.ledger import NAME, Ledger, Stages, open_ledger, train
from bgm.cli.error_messages import error_message
from bgm.cli.launch import compose_config
from bgm.console import say
from bgm.errors import BadInput, Stopped
from bgm.train.checkpointing.find import newest_checkpoint
from bgm.train.resume import build_data

OWN = ("experiment", "stages", "init", "resume")  # words of the curriculum that no stage inherits


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


def run_stages(folder: Path, stages: Stages, run: Callable[[list[str]], int] = train) -> None:
    """Run the stages that folder/curriculum.json does not call done; the first from its last step.

    stages: name -> words of train.py. run: trains with these words; returns an exit code. Raises
    BadInput before the first training for whatever would stop a later stage: data that are not
    there, a network that the next stage does not expect, a folder with a curriculum of other
    settings, or one that is being worked on.
    """
    with open_ledger(folder, stages) as ledger:
        check_stages(stages, ledger)
        for number, (name, words) in enumerate(stages.items(), 1):
            title = f"stage {number} of {len(stages)}, {name}"
            if name in ledger.best:
                say(f"{title}: done, {ledger.best[name]}")
                continue
            start = ledger.start(name)
            say("\n" + ", ".join([title, *start]))
            code = run([*words, *start, f"hydra.run.dir={ledger.run_folder(name)}"])
            if code == Stopped.code:
                raise Stopped(f"{title} was stopped: the same command goes on from there")
            if code:
                raise BadInput(
                    f"{title} ended with exit code {code}; the same command with "
                    f"hydra.run.dir={folder} goes on from there"
                )
            ledger.finish(name)
    say(f"\nall {len(stages)} stages are done ({folder / NAME}): {ledger.best[name]}")


def check_stages(stages: Stages, ledger: Ledger) -> None:
    """Raise BadInput for what would stop a stage that is still to come."""
    before = None  # name and kind of the stage before
    for number, (name, words) in enumerate(stages.items(), 1):
        where = f"stage {number} of {len(stages)} ({name})"
        try:
            cfg = compose_config("train", words)
            if name not in ledger.best:
                checkpoint = newest_checkpoint(ledger.run_folder(name))
                build_data(cfg, str(checkpoint) if checkpoint else None)
        except Exception as error:
            message = error_message(error)
            if message is None:
                raise
            raise BadInput(f"{where}: {message}") from None
        if before is not None and cfg.init_is and before[1] not in cfg.init_is:
            raise BadInput(
                f"{where} starts from a {' or '.join(cfg.init_is)} network, but {before[0]} before "
                f"it trains a {before[1]} one"
            )
        before = name, "refined" if "refiner" in cfg.network else "base"
