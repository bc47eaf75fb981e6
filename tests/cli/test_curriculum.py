"""The paper as one command: what is found before stage 1, what is handed on, what goes on."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from bgm.cli import curriculum
from bgm.cli.curriculum import FINISHED, command_lines, locked, run_curriculum, run_stages
from bgm.errors import BadInput, Stopped
from tests.data.folders import make
from tests.test_configs import composed
from tests.test_line import script
from tests.train.record import SignalOnce

ROOT = Path(__file__).parents[2]
SETS = ("VideoMatte240K", "PhotoMatte13K", "Distinctions646")
TINY = [
    "backbone=mobilenetv2",
    "augment.size=64",
    "augment.crop=[48,64]",
    "valid_augment.size=64",
    "valid_augment.crop=[48,60]",
    "batch_size=2",
    "workers=0",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=1",
    "trainer.log_every_n_steps=1",
    "data.checkup_seconds=0",
    "callbacks.last.every_n_steps=1",
    "stage.metrics=[mad]",
]


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """Small folders in the places of the paper's three sets of subjects."""
    root = tmp_path_factory.mktemp("the paper (small), a=b")
    for seed, name in enumerate(SETS):
        made = make(root / name, subjects=2, backgrounds=2, seed=seed)
        shutil.copytree(made / "backgrounds", root / "backgrounds", dirs_exist_ok=True)
    return root


@functools.cache
def paper_stages():
    return OmegaConf.to_container(composed("train", "experiment=curriculum").stages)


def stages(root, *given, **changes):
    cfg = OmegaConf.create(paper_stages())
    for name, own in changes.items():
        cfg[name] = OmegaConf.merge(cfg[name], own)
    return command_lines(cfg, [f"data_root={root}", *TINY, *given], None)


class Run:
    """Stands in for trainings: records their words, leaves checkpoints, fails at one."""

    def __init__(self, fail_at=0):
        self.fail_at, self.seen = fail_at, []

    def __call__(self, given):
        self.seen.append(given)
        place = Path(next(w for w in given if w.startswith("hydra.run.dir=")).partition("=")[2])
        place.mkdir(parents=True, exist_ok=True)
        (place / "last.ckpt").touch()
        if len(self.seen) == self.fail_at:
            return 1
        (place / "best.ckpt").touch()
        return 0

    def starts(self):
        assert all("resume=auto" in given for given in self.seen)
        found = [[w for w in g if w.startswith("init=")] for g in self.seen]
        return ["".join(Path(*Path(w).parts[-2:]).as_posix() for w in start) for start in found]


def test_the_words_that_a_stage_gets():
    cfg = {"a": {"experiment": "one"}, "b": {"experiment": "two", "x": {"y": 2, "z": [1, None]}}}
    given = ["experiment=curriculum", "x.y=1", "trainer=ddp", "+stages.b.x.y=2", "init=w.pth"]
    assert command_lines(OmegaConf.create(cfg), given, "w.pth") == {
        "a": ["experiment=one", "x.y=1", "trainer=ddp", "init=w.pth"],
        "b": ["experiment=two", "x.y=2", "x.z=[1,null]", "trainer=ddp"],
    }
    with pytest.raises(BadInput, match="stage c of the curriculum has no experiment"):
        command_lines(OmegaConf.create({"c": {"x": 1}}), [], None)


def test_each_starts_from_the_best_before_and_a_broken_one_goes_on(paper, tmp_path):
    broken = Run(fail_at=3)
    with pytest.raises(BadInput, match=r"stage 3 of 4, refine_photomatte13k ended with exit code"):
        run_stages(tmp_path, stages(paper), broken)
    assert broken.starts() == [
        "",
        "1-base_videomatte240k/best.ckpt",
        "2-refine_videomatte240k/best.ckpt",
    ]
    again = Run()
    run_stages(tmp_path, stages(paper, "workers=3"), again)
    assert again.starts() == [
        "2-refine_videomatte240k/best.ckpt",
        "3-refine_photomatte13k/best.ckpt",
    ]
    assert len(list(tmp_path.glob(f"*/{FINISHED}"))) == 4
    with pytest.raises(BadInput, match=r"1-base\S+ was trained with less and has now seed=1 inst"):
        run_stages(tmp_path, stages(paper, "seed=1"), again)
    with pytest.raises(BadInput, match=r"2-refine\S+ was trained with .* and has now nothing inst"):
        run_stages(tmp_path, dict(list(stages(paper).items())[:1]), again)


def test_a_folder_of_an_older_version_is_refused(paper, tmp_path):
    """It holds a list of its stages, and their checkpoints; nothing in it is touched."""
    never, old = Run(), tmp_path / "curriculum.json"
    old.write_text('{"stages": {"base_videomatte240k": {"state": "done"}}}')
    (tmp_path / "1-base_videomatte240k").mkdir()
    (tmp_path / "1-base_videomatte240k" / "last.ckpt").touch()
    with pytest.raises(BadInput, match=r"holds a curriculum of an older bgm, which cannot go on"):
        run_stages(tmp_path, stages(paper), never)
    assert never.seen == []


def test_it_is_started_as_one_process(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadInput, match="started as one process, found 2: trainer=ddp starts"):
        run_curriculum(composed("train", "experiment=curriculum"))


@pytest.mark.parametrize("name", ["base_aim", "refine_videomatte240k"])
def test_an_experiment_of_old_answers_with_the_new_words(name, capsys):
    assert script("train", f"experiment={name}") == 1
    stage, _, data = name.partition("_")
    assert f"experiment={name} is now experiment={stage} data={data}" in capsys.readouterr().err


def test_a_name_that_never_was_is_no_old_one(capsys):
    assert script("train", "experiment=refine_people") == 1
    said = capsys.readouterr().err
    assert "experiment=refine_people is none of" in said
    assert "is now" not in said


def test_a_stopped_stage_stops_the_curriculum(paper, tmp_path):
    def stopped(given):
        return Run()(given) or (75 if "init=" in str(given) else 0)

    with pytest.raises(Stopped, match=r"stage 2 of 4, refine_videomatte240k was stopped"):
        run_stages(tmp_path, stages(paper), stopped)


def test_found_before_stage_1(paper, tmp_path):
    never = Run()
    partial = tmp_path / "partial"
    shutil.copytree(paper, partial)
    shutil.rmtree(partial / "PhotoMatte13K" / "train")
    with pytest.raises(BadInput, match=r"stage 3 of 4 \(refine_photo.*PhotoMatte13K/train"):
        run_stages(tmp_path / "run", stages(partial), never)
    short = stages(paper)
    del short["refine_videomatte240k"]
    with pytest.raises(BadInput, match=r"stage 2 of 3 .*from a refined network, but base_video"):
        run_stages(tmp_path / "run", short, never)
    wrong = stages(paper, refine_videomatte240k={"trainer": {"max_epoch": 1}})
    with pytest.raises(BadInput, match=r"stage 2 of 4 .*max_epoch"):
        run_stages(tmp_path / "run", wrong, never)
    assert never.seen == []
    assert not list((tmp_path / "run").glob("[0-9]*"))


def test_one_curriculum_at_a_time(tmp_path):
    with locked(tmp_path), pytest.raises(BadInput, match="is being worked on"):
        locked(tmp_path).__enter__()
    with locked(tmp_path):
        pass


@pytest.mark.timeout(1500)
def test_the_whole_paper_in_small(paper, tmp_path):
    def run(given):
        return script("train", *given)

    run_stages(tmp_path / "run", stages(paper), run)
    folders = sorted(p for p in (tmp_path / "run").iterdir() if p.is_dir())
    assert [p.name[:1] for p in folders] == ["1", "2", "3", "4"]
    cards = [json.loads((p / "card.json").read_text()) for p in folders]
    assert ["pha_sm" in c["config"]["loss"] for c in cards] == [False, True, True, True]
    for before, card in zip(folders, cards[1:], strict=False):
        assert card["config"]["init"] == str(before / "best.ckpt")
    # The wrong way round, by hand: what the reference's users find out after a day.
    base, refined = (str(p / "best.ckpt") for p in folders[:2])
    given = [f"data_root={paper}", *TINY, f"hydra.run.dir={tmp_path / 'wrong'}"]
    for init, kind in ((base, "refined"), (refined, "base")):
        words = ["experiment=refine", "data=photomatte13k", f"init={init}", f"init_is=[{kind}]"]
        assert script("train", *words, *given) == 1


def test_one_kind_of_start_needs_no_brackets(tmp_path, monkeypatch):
    monkeypatch.setattr(curriculum, "build_data", lambda *_: None)
    first = ["experiment=base", "data_root=x", "name=a"]
    folders = {"one": tmp_path / "one", "two": tmp_path / "two"}

    def check(kind):
        second = ["experiment=refine", "data_root=x", "name=b", f"init_is={kind}"]
        curriculum.check_stages({"one": first, "two": second}, folders, [])

    check("base")
    with pytest.raises(BadInput, match="starts from a refined network, but one before it trains a"):
        check("refined")


def run_to_the_end(paper, folder, *more):
    """The exit code of a curriculum, a process group of its own; negative: what killed it."""
    command = [sys.executable, "train.py", "experiment=curriculum", f"data_root={paper}", *TINY]
    command += ["trainer.max_epochs=10", f"hydra.run.dir={folder}", *more]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True).wait()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_killed_inside_a_stage_it_goes_on(paper, tmp_path):
    """SIGKILL to all in the middle of stage 2, then the same command: done, as if nothing was."""
    folder, sign = tmp_path / "run", signal.SIGKILL
    last = folder / "2-refine_videomatte240k" / "last.ckpt"
    options = {"note": tmp_path / "sent", "to": "group", "run": "2-refine_videomatte240k"}
    words = SignalOnce.words(sign=int(sign), **options)
    assert run_to_the_end(paper, folder, *words) == -sign
    assert torch.load(last, weights_only=True)["global_step"] < 10
    first = (folder / "1-base_videomatte240k" / "best.ckpt").stat().st_mtime_ns
    assert run_to_the_end(paper, folder, *words) == 0
    assert (folder / "1-base_videomatte240k" / "best.ckpt").stat().st_mtime_ns == first
    for name in ("2-refine_videomatte240k", "4-refine_distinctions646"):
        stored = torch.load(folder / name / "last.ckpt", weights_only=True)
        assert stored["global_step"] == 10


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_sigterm_reaches_the_training(paper, tmp_path):
    folder = tmp_path / "run"
    words = SignalOnce.words(sign=int(signal.SIGTERM), note=tmp_path / "sent", to="parent")
    assert run_to_the_end(paper, folder, *words) == Stopped.code
    assert not list(folder.glob(f"*/{FINISHED}"))  # no stage is done
    with locked(folder):
        pass  # nobody holds the folder: the training has ended, too
