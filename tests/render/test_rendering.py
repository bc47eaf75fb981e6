"""`bgm render` without Blender: a stand-in program plays its part."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys

import cv2
import numpy as np
import pytest
from omegaconf import OmegaConf

from bgm.cli.render import main, options_of, sheet_path
from bgm.data.folders import Subjects
from bgm.errors import BadInput
from bgm.render import rendering
from bgm.render.rendering import LOG, Interpreters, check_interpreters, missing, read_log, render
from tests.test_configs import composed

# Plays both programs: writes the passes that Blender would, fails picture 2, has no faults else.
STAND_IN = """#!{python}
import json, os, signal, sys
import numpy as np
if "find_spec" in sys.argv[2]:
    sys.exit(0)
job = json.loads(open(sys.argv[-1]).read())
if "bgm.render.anny_bodies" in sys.argv[2]:
    sys.exit({bodies})
if {crash} == "at once":
    sys.exit("no bpy")
for index in job["indices"]:
    print(json.dumps({{"started": index}}), flush=True)
    if index == {crash}:
        sys.exit(3)
    if {crash} == "never ends":
        with open(job["maps"], "w") as pipe:
            pipe.write(str(os.getpid()))
        signal.pause()
    path = job["work"] + f"/{{index:06d}}"
    if index == 2:
        open(path + ".txt", "w").write("Traceback\\nValueError: no such hair")
    else:
        h, w = job["size"]
        y, x = np.mgrid[:h, :w]
        alpha = ((y - h / 2) ** 2 + (x - w / 2) ** 2 < (h / 3) ** 2).astype(np.float32)
        image = np.dstack([alpha * 0.5, alpha * 0.2, alpha * 0.1, alpha]).astype(np.float32)
        room = {{}}
        if job["rooms"]:
            room = {{k: np.full((h, w, 3), 0.3, np.float32) for k in ("plate", "shadowed")}}
        said = dict(seed=job["seed"], index=index, version=1, cpu_s=0.1, kind="person")
        passes = dict(clean=image, noisy=image, alpha=alpha, **room)
        np.savez(path + ".npz", said=json.dumps(said), **passes)
    print(json.dumps({{"done": index}}), flush=True)
"""


def program(tmp_path, name="python", bodies=0, crash=None):
    path = tmp_path / name
    path.write_text(STAND_IN.format(python=sys.executable, bodies=bodies, crash=repr(crash)))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def config(tmp_path, *overrides):
    python = program(tmp_path)
    return composed(
        "render", f"out={tmp_path}/people", "count=5", "size=48", "per_process=2", "depth=8",
        f"blender_python={python}", f"body_python={python}", "sheet_every=2", *overrides,
    )  # fmt: skip


def run_it(cfg):
    found = Interpreters(cfg.blender_python, cfg.body_python)
    said = []
    return render(tmp_out(cfg), options_of(cfg), found, said.append), said


def tmp_out(cfg):
    from pathlib import Path

    return Path(cfg.out)


def test_renders_what_a_folder_source_reads(tmp_path):
    cfg = config(tmp_path)
    main(cfg)
    out = tmp_path / "people"
    names = sorted(p.name for p in out.glob("*.png"))
    assert names == [f"0000-00000{i}.png" for i in (0, 1, 3, 4)]
    subjects = Subjects(rgba=out)
    assert len(subjects) == 4
    assert sheet_path(out).exists()
    failed = {entry["index"]: entry.get("failed") for entry in read_log(out)}
    assert failed == {0: None, 1: None, 2: "ValueError: no such hair", 3: None, 4: None}
    assert not list(out.glob(".*")), "nothing half-written stays"
    (out / LOG).unlink()  # a picture of the user's that has the sheet's name
    with pytest.raises(BadInput, match=r"people-sheet\.jpg is no sheet of .*people"):
        main(cfg)


@pytest.mark.parametrize(("depth", "kind"), [(8, np.uint8), (16, np.uint16)])
def test_bits_a_channel(tmp_path, depth, kind):
    cfg = config(tmp_path, f"depth={depth}", "count=1", "size=[32,48]")
    run_it(cfg)
    found = cv2.imread(f"{cfg.out}/0000-000000.png", cv2.IMREAD_UNCHANGED)
    assert (found.shape, found.dtype) == ((32, 48, 4), kind)
    assert found[..., 3].max() == np.iinfo(kind).max
    b, g, r = (int(found[16, 24, k]) for k in range(3))
    assert r > g > b, "colours are in the order that they were given in"


def test_goes_on_where_it_ended(tmp_path):
    cfg = config(tmp_path)
    assert run_it(cfg)[0] == 4
    options = options_of(cfg)
    assert missing(tmp_out(cfg), options) == [2]  # the one that failed
    (tmp_out(cfg) / "0000-000003.png").unlink()
    assert missing(tmp_out(cfg), options) == [2, 3]
    written, said = run_it(cfg)
    assert (written, [entry["index"] for entry in said]) == (1, [2, 3])
    more = config(tmp_path, "seed=7")
    assert missing(tmp_out(more), options_of(more)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("word", "differs"),
    [
        ("size=64", r"size \[48, 48\] -> \[64, 64\]"),
        ("forced.hair=bob", r"forced \{\} -> \{'hair': 'bob'\}"),
        ("ranges.bag=0.5", "ranges.bag 0.15 -> 0.5"),
        ("rooms=true", "rooms False -> True"),
    ],
)
def test_pictures_of_a_seed_have_the_same_settings(tmp_path, word, differs):
    main(config(tmp_path, "count=1"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match=f"people has pictures of seed 0 .*otherwise: {differs}: "):
        main(config(tmp_path, word))
    assert sorted(tmp_path.rglob("*")) == before
    main(config(tmp_path, "count=2", "per_process=1"))
    main(config(tmp_path, "count=1", "seed=1", word))


def test_what_left_no_picture_keeps_no_settings(tmp_path):
    broken = program(tmp_path, "broken", crash="at once")
    with pytest.raises(BadInput, match="no bpy"):
        main(config(tmp_path, "size=64", f"blender_python={broken}"))
    main(config(tmp_path, "count=1"))


def test_a_log_that_broke_off_is_read(tmp_path):
    (tmp_path / LOG).write_text('{"seed": 0, "index": 4, "faults": ["dark"]}\n{"seed": 0, "ind')
    assert [entry["index"] for entry in read_log(tmp_path)] == [4]


def test_rooms_are_scenes(tmp_path):
    from bgm.data.scenes import Scenes

    cfg = config(tmp_path, "rooms=true", "count=2")
    assert run_it(cfg)[0] == 2
    scenes = Scenes(cfg.out)
    assert len(scenes) == 2
    assert bool(scenes[0].has_fgr)
    assert scenes[0].src.shape == (3, 48, 48)


def test_a_program_that_fails_is_one_sentence(tmp_path):
    cfg = config(tmp_path)
    broken = Interpreters(cfg.blender_python, program(tmp_path, "broken", bodies="'no body'"))
    with pytest.raises(BadInput, match=r"bgm\.render\.anny_bodies failed in .*broken: no body"):
        render(tmp_out(cfg), options_of(cfg), broken, print)


def test_a_picture_that_ends_blender_is_passed_over(tmp_path):
    cfg = config(tmp_path, "per_process=5")
    crashing = Interpreters(program(tmp_path, "crashing", crash=1), cfg.body_python)
    said = []
    assert render(tmp_out(cfg), options_of(cfg), crashing, said.append) == 3
    failed = {entry["index"]: entry.get("failed") for entry in said}
    assert failed[1] == "Blender ended with code 3"
    assert sorted(failed) == [0, 1, 2, 3, 4]


def test_what_failed_is_tried_again_and_what_has_faults_is_not(tmp_path, capsys):
    words = ("per_process=5", f"blender_python={program(tmp_path, 'crashing', crash=1)}")
    out = tmp_path / "people"
    out.mkdir()
    fault = {"seed": 0, "index": 4, "version": 1, "faults": ["dark"]}
    (out / LOG).write_text(json.dumps(fault) + "\n")
    main(config(tmp_path, *words))
    said = capsys.readouterr().out
    assert "0 pictures done, 1 left out, 4 to render" in said
    assert "failed: 2 pictures (1, 2); the same command tries them again" in said
    main(config(tmp_path))
    said = capsys.readouterr().out
    assert "2 pictures done, 1 left out, 2 to render" in said
    assert "failed: 1 pictures (2)" in said
    assert sorted(p.name for p in out.glob("*.png")) == [f"0000-00000{i}.png" for i in (0, 1, 3)]


def test_blender_that_cannot_be_started_is_one_sentence(tmp_path):
    cfg = config(tmp_path)
    broken = Interpreters(program(tmp_path, "broken", crash="at once"), cfg.body_python)
    with pytest.raises(BadInput, match=r"bgm\.render\.blender failed in .*broken: no bpy"):
        render(tmp_out(cfg), options_of(cfg), broken, print)


def test_a_stopped_run_leaves_no_blender_behind(tmp_path):
    pipe = tmp_path / "maps"
    os.mkfifo(pipe)
    endless = program(tmp_path, "endless", crash="never ends")
    words = [f"out={tmp_path}/people", "count=2", "size=48", f"maps={pipe}"]
    words += [f"blender_python={endless}", f"body_python={program(tmp_path)}"]
    run = subprocess.Popen(
        [sys.executable, "-m", "bgm", "render", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    blender = int(pipe.read_text())  # opens when Blender is at work
    run.send_signal(signal.SIGTERM)
    said = run.communicate()[0]
    assert run.returncode == 75
    assert "stopped by SIGTERM: what was finished is kept, the same command goes on" in said
    with pytest.raises(ProcessLookupError):
        os.kill(blender, 0)
    assert not list(tmp_path.glob("people/.work-*"))


def test_interpreters_are_asked_for_in_a_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"blender_python is not set.*pip install 'bpy==4\.5"):
        check_interpreters(Interpreters("", ""))
    with pytest.raises(BadInput, match="body_python=nowhere/python is not a program"):
        check_interpreters(Interpreters(program(tmp_path), "nowhere/python"))
    if shutil.which("true"):
        lacking = program(tmp_path)
        path = tmp_path / "lacking"
        path.write_text("#!/bin/sh\nexit 1\n")
        path.chmod(0o755)
        with pytest.raises(BadInput, match="lacking has no package anny"):
            check_interpreters(Interpreters(lacking, str(path)))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("size=8", "size=8: expected pixels"),
        ("size=[64,64,3]", "expected pixels"),
        ("depth=12", "depth=12: expected 8 or 16"),
        ("count=0", "count=0: expected a whole number"),
        ("sheet_every=0", "sheet_every=0: expected a whole number"),
        ("kinds=[ghost]", r"kinds=\['ghost'\]: expected one or more of person"),
        ("ranges.shots=head", "ranges.shots=head: expected weights from 0 on, not all 0, of full"),
        ("ranges.shots={head:-1}", "ranges.shots=.*: expected weights"),
        ("ranges.age=0.5", r"ranges.age=0.5: expected \[low,high\]"),
        ("ranges.age=[1,0.5]", r"expected \[low,high\]"),
        ("ranges.bag=often", "ranges.bag=often: expected a number from 0 on, as 0.15"),
    ],
)
def test_bad_values_are_one_sentence(tmp_path, override, sentence):
    with pytest.raises(BadInput, match=sentence):
        options_of(config(tmp_path, override))


def test_kinds_narrow_the_weights(tmp_path):
    options = options_of(config(tmp_path, "kinds=[pair]"))
    assert list(options.ranges["kinds"]) == ["pair"]


def test_what_is_forced(tmp_path):
    assert options_of(config(tmp_path)).forced == {}
    assert options_of(config(tmp_path, "forced.hair=bob")).forced == {"hair": "bob"}


def test_the_other_environment_sees_none_of_our_packages(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    assert "PYTHONPATH" not in rendering.environment()


def test_config_has_no_path_of_a_machine(monkeypatch):
    for key in ("BGM_BLENDER_PYTHON", "BGM_BODY_PYTHON", "BGM_HDR_MAPS"):
        monkeypatch.delenv(key, raising=False)
    cfg = composed("render", "out=x")
    assert (cfg.blender_python, cfg.body_python, cfg.maps) == (None, None, None)
    OmegaConf.resolve(cfg)


@pytest.mark.slow
@pytest.mark.skipif(
    not (os.environ.get("BGM_BLENDER_PYTHON") and os.environ.get("BGM_BODY_PYTHON")),
    reason="BGM_BLENDER_PYTHON and BGM_BODY_PYTHON name no environments",
)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("rooms", [False, True], ids=["people", "rooms"])
def test_blender_renders(tmp_path, rooms):
    """64 px, few samples: a person appears, twice the same."""
    found = []
    for name in ("one", "two"):
        cfg = composed(
            "render", f"out={tmp_path}/{name}", "count=1", "size=64", "samples=2", "depth=8",
            "alpha_samples=8", "seed=4", "forced.shot=bust", "forced.hair=bob", f"rooms={rooms}",
        )  # fmt: skip
        main(cfg)
        entry = json.loads((tmp_path / name / LOG).read_text())
        assert "faults" not in entry, entry
        folder = tmp_path / name / "pha" if rooms else tmp_path / name
        picture = cv2.imread(str(folder / "0004-000000.png"), cv2.IMREAD_UNCHANGED)
        found.append(picture if rooms else picture[..., 3])
    alpha = found[0] / 255
    assert 0.05 < alpha.mean() < 0.9
    assert ((alpha > 0.02) & (alpha < 0.98)).any()
    np.testing.assert_array_equal(*found)
