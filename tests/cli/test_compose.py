"""bgm compose on a command line: plans, composes, checks; bad input is one sentence."""

import json
import sys

import pytest

from bgm.cli import run
from bgm.compose import MANIFEST, read
from bgm.files import sha256
from tests.compose.pictures import backgrounds, subjects


def bgm_compose(*args):
    argv = sys.argv
    try:
        run("compose", list(map(str, args)))
    except SystemExit as stop:
        return stop.code
    finally:
        sys.argv = argv
    return 0


FOLDER = ["benchmark=folder", "benchmark.subjects.root=my people (1)", "benchmark.name=mine"]


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "a=b, c"
    subjects(root / "my people (1)", ["a", "b"])
    backgrounds(root / "backgrounds" / "test", ["u", "v"])
    return root


def test_a_folder_is_composed_and_checked(root, tmp_path, capsys):
    place = [f"data_root={root}"]
    assert bgm_compose(*FOLDER, *place) == 0
    out = root / "benchmarks" / "mine"
    assert "2 scenes, 10 files" in capsys.readouterr().out
    assert bgm_compose(f"check={out}", *place) == 0
    assert "10 composed files and 6 source files" in capsys.readouterr().out
    assert bgm_compose(f"check={out}", "data_root=null") == 0
    assert "sources not looked at" in capsys.readouterr().out
    again = tmp_path / "again"
    assert bgm_compose(f"manifest={out / MANIFEST}", f"out={again}", *place) == 0
    assert "every picture is what the manifest says" in capsys.readouterr().out
    assert sha256(again / MANIFEST) == sha256(out / MANIFEST)
    assert bgm_compose(*FOLDER, *place, "seed=1", f"out={tmp_path / 'other'}") == 0
    assert read(tmp_path / "other" / MANIFEST).scenes != read(out / MANIFEST).scenes


def test_bad_input_is_one_sentence_and_exit_code_1(root, tmp_path, capsys):
    def refused(*args):
        assert bgm_compose(*args) == 1
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        return said[0].removeprefix("error: ")

    place = [f"data_root={root}"]
    assert "AIM/test does not exist" in refused("benchmark=aim", *place)
    assert "benchmark.subjects.root=... is missing" in refused("benchmark=folder", *place)
    assert "exactly 11" in refused(*FOLDER, *place, "benchmark.count=11")
    assert "from, to" in refused(*FOLDER, *place, "benchmark.plate.gamma=[1.2,0.8]")
    assert "data_root=null" in refused("data_root=null")
    assert "cannot read manifest" in refused(f"check={tmp_path}", *place)
    assert bgm_compose(*FOLDER, *place) == 0
    out = root / "benchmarks" / "mine"
    capsys.readouterr()
    assert "exists already" in refused(*FOLDER, *place)
    (root / "backgrounds" / "test" / "u.png").unlink()
    (out / "src" / "0001.png").write_bytes(b"")
    said = refused(f"check={out}", *place)
    assert "missing: backgrounds/test/u.png" in said
    assert "manifest says: src/0001.png" in said
    plan = json.loads((out / MANIFEST).read_text()) | {"files": {}}
    (tmp_path / MANIFEST).write_text(json.dumps(plan))
    assert "knows no files" in refused(f"check={tmp_path}", *place)


def test_a_benchmark_of_ones_own_numbers_is_said_to_be_one(tmp_path, capsys):
    small = ["benchmark.subjects.count=1", "benchmark.subjects.size=[40,48]", "benchmark.each=1"]
    place = [f"data_root={tmp_path}", "benchmark.backgrounds.size=[40,48]"]
    assert bgm_compose(*small, *place) == 0
    assert "one of your own" in capsys.readouterr().out
