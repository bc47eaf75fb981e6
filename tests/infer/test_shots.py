"""The script's own main over shots that break, stop, and go on."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import predict as script_module
from bgm.files import refusals_named
from bgm.infer import sinks
from bgm.infer.models import Model
from bgm.infer.output_record import OutputRecord
from bgm.infer.shot_list import one_shot
from bgm.pictures import write_png
from tests.infer import networks
from tests.infer.shots import PLAIN, made, write_shot
from tests.test_line import script

ROOT = Path(__file__).parents[2]


def truncate(path):
    path.write_bytes(path.read_bytes()[:60])


def test_a_broken_frame_and_a_broken_shot_are_named_and_the_rest_goes_on(tmp_path, quick, capsys):
    shots, out = tmp_path / "shots", tmp_path / "mattes"
    for name in "ABC":
        write_shot(shots / name)
    truncate(shots / "A/src/0001.png")
    (shots / "B/bgr.png").unlink()
    words = ["predict", f"shots={shots}", f"out={out}", *PLAIN]
    assert script(*words) == 1
    errors = [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]
    assert errors[0].startswith(f"error: frame 0001 of shot A: picture {shots}/A/src/0001.png is")
    assert errors[1].startswith(f"error: shot B: {shots}/B/bgr does not exist")
    assert errors[2].startswith("error: 2 could not be matted: frame 0001 of shot A, shot B; ")
    assert len(errors) == 3
    assert made(out) == [f"{x}.png" for x in ("A/pha/0000", "A/pha/0002", "C/pha/0000")] + [
        f"C/pha/000{n}.png" for n in (1, 2)
    ]
    write_shot(shots / "B")
    write_png(shots / "A/src/0001.png", torch.zeros(3, 8, 12, dtype=torch.uint8))
    quick.clear()
    assert script(*words, "resume=true") == 0
    assert len(quick) == 4  # one of A, three of B
    assert len(made(out)) == 9


def test_a_broken_picture_of_a_folder_without_a_list(tmp_path, quick, capsys):
    write_shot(tmp_path / "A")
    truncate(tmp_path / "A/src/0002.png")
    words = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/out"]
    assert script("predict", *words, *PLAIN) == 1
    assert "1 could not be matted: frame 0002; all else is in" in capsys.readouterr().err
    assert made(tmp_path / "out") == ["pha/0000.png", "pha/0001.png"]
    truncate(tmp_path / "A/bgr.png")
    assert script("predict", *words, *PLAIN) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: picture {tmp_path}/A/bgr.png is broken")


@pytest.mark.parametrize("word", ["garbage", "holdout"])
def test_a_drawn_matte_that_is_missing_or_broken(tmp_path, quick, capsys, word):
    """Missing ones are known before the start; a broken one costs its own frame."""
    write_shot(tmp_path / "A")
    drawn = tmp_path / "drawn"
    for number in (0, 2):
        write_png(drawn / f"000{number}.png", torch.zeros(1, 8, 12))
    words = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/out", *PLAIN]
    words.append(f"{word}={drawn}")
    assert script("predict", *words) == 1
    assert f"{word} {drawn} holds no picture named 0001" in capsys.readouterr().err
    assert not quick
    write_png(drawn / "0001.png", torch.zeros(1, 8, 12))
    (drawn / "0001.png").write_bytes((drawn / "0001.png").read_bytes()[:45])
    write_png(drawn / "0000.png", torch.zeros(1, 8, 11))
    assert script("predict", *words) == 1
    said = capsys.readouterr().err
    assert f"error: frame 0000: {word} {drawn}/0000.png is 11x8 but 0000 is 12x8" in said
    assert f"error: frame 0001: picture {drawn}/0001.png is broken" in said
    assert "2 could not be matted: frame 0000, frame 0001; all else is in" in said
    assert made(tmp_path / "out") == ["pha/0002.png"]
    quick.clear()
    for number in (1, 2):
        write_png(drawn / f"000{number}.png", torch.zeros(1, 8, 11))
    assert script("predict", *words) == 1
    assert "0000.png is 11x8 but 0000 is 12x8" in capsys.readouterr().err
    assert not quick


def test_the_median_of_a_folder_leaves_out_what_is_broken(tmp_path, quick, capsys):
    write_shot(tmp_path / "A", 8)
    write_png(tmp_path / "A/src/0000.png", torch.zeros(3, 8, 11))
    truncate(tmp_path / "A/src/0003.png")
    words = [f"src={tmp_path}/A/src", "bgr=median", f"out={tmp_path}/out", *PLAIN]
    assert script("predict", *words) == 1
    said = capsys.readouterr()
    assert said.out.count("2 of 8 left out, ") == 1
    assert "2 could not be matted: frame 0000, frame 0003; all else is in" in said.err
    assert len(made(tmp_path / "out")) == 6


def test_resume_leaves_what_is_whole_of_the_same_settings(tmp_path, quick, capsys):
    write_shot(tmp_path / "A")
    out = tmp_path / "out"
    words = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={out}", "align=false"]

    def frames_done(*more):
        quick.clear()
        assert script("predict", *words, *more) == 0
        return len(quick)

    assert frames_done("outputs=[pha]", "resume=true") == 3  # nothing is known of what is there
    assert frames_done("outputs=[pha]", "resume=true") == 0
    assert "0 frames matted" in (said := capsys.readouterr().out)
    assert "3 were whole" in said
    assert frames_done("outputs=[pha]") == 3  # not asked to resume
    (out / "pha/0001.png").unlink()
    assert frames_done("outputs=[pha]", "resume=true", "device=cpu") == 1
    later = (out / "pha/0002.png").stat().st_mtime_ns + 10**9
    os.utime(tmp_path / "A/src/0002.png", ns=(later, later))
    assert frames_done("outputs=[pha]", "resume=true") == 1
    old = tmp_path / "mended.png"  # a copy that keeps an older date
    write_png(old, torch.zeros(3, 8, 12, dtype=torch.uint8))
    os.utime(old, ns=(10**18,) * 2)
    shutil.copy2(old, tmp_path / "A/src/0002.png")
    (out / "pha/0001.png").write_bytes(b"")
    assert frames_done("outputs=[pha]", "resume=true") == 2
    os.utime(tmp_path / "A/src/0002.png", ns=(later - 10**10, later - 10**10))
    assert frames_done("outputs=[pha]", "resume=true", "despeckle=3") == 3
    assert "despeckle changed since: all is matted anew" in capsys.readouterr().out
    write_png(tmp_path / "A/bgr.png", torch.zeros(3, 8, 12, dtype=torch.uint8))
    assert frames_done("outputs=[pha]", "resume=true", "despeckle=3") == 3


def test_a_record_of_other_settings_makes_nothing_whole(tmp_path):
    """Also where the run with the new settings was ended before it came to an output."""
    write_shot(tmp_path / "A")
    shot = one_shot(f"{tmp_path}/A/src", f"{tmp_path}/A/bgr.png", f"{tmp_path}/out")
    first = OutputRecord(shot, {"calm": 0, "model": "x"})
    first.write()
    output = tmp_path / "out/a.png"
    output.write_bytes(b"a matte")
    os.utime(output, ns=(first.path.stat().st_mtime_ns + 1,) * 2)

    def whole(calm):
        record = OutputRecord(shot, {"calm": calm, "model": "x"})
        record.resume(lambda _: None)
        return record.is_whole([output])

    assert whole(0)
    assert not whole(1)
    second = OutputRecord(shot, {"calm": 1, "model": "x"})
    second.write()
    os.utime(second.path, ns=(output.stat().st_mtime_ns + 1,) * 2)
    assert not whole(1)
    assert not whole(0)


def test_json_has_a_line_for_each_frame_and_nothing_else(tmp_path, quick, capsys):
    shots, out = tmp_path / "shots", tmp_path / "mattes"
    for name in "AB":
        write_shot(shots / name)
    truncate(shots / "A/src/0001.png")
    words = ["predict", f"shots={shots}", f"out={out}", *PLAIN, "progress=json"]
    for again in (False, True):
        assert script(*words, f"resume={str(again).lower()}") == 1
        said = capsys.readouterr()
        lines = [json.loads(line) for line in said.out.splitlines()]
        lines.sort(key=lambda x: (x["shot"], x["frame"]))
        assert [(x["shot"], x["frame"], x["of"], x["name"]) for x in lines] == [
            (shot, number, 3, f"{number - 1:04}") for shot in "AB" for number in (1, 2, 3)
        ]
        done = "skipped" if again else "done"
        assert [x["state"] for x in lines] == [done, "failed", *[done] * 4]
        assert f"{shots}/A/src/0001.png" in lines[1]["error"]
        assert lines[0]["out"] == str(out / "A")
        assert all(x["seconds"] >= 0 for x in lines)
        assert "matted to" in said.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_after_a_frame(tmp_path, quick, capsys, monkeypatch, number):
    shots = tmp_path / "shots"
    for name in "AB":
        write_shot(shots / name)

    def net(src, bgr):
        quick.append(src)
        if len(quick) == 2:
            os.kill(os.getpid(), number)
        return networks.refine(src, bgr)

    opened = Model(net, torch.device("cpu"), 1.0)
    monkeypatch.setattr(script_module, "open_model", lambda *_, **__: opened)
    words = ["predict", f"shots={shots}", f"out={tmp_path}/out", *PLAIN]
    before = signal.getsignal(number)
    assert script(*words) == 75
    assert signal.getsignal(number) is before
    name = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}[number]
    assert f"stopped by {name}: what was finished is kept" in capsys.readouterr().err
    kept = made(tmp_path / "out")
    assert set(kept) <= {"A/pha/0000.png", "A/pha/0001.png"}
    assert not list((tmp_path / "out").rglob("*.part"))
    assert script(*words, "resume=true") == 0
    assert len(quick) == 2 + 6 - len(kept)


def test_a_disk_that_is_full_ends_its_shot_and_keeps_what_was_finished(
    tmp_path, quick, capsys, monkeypatch
):
    shots, write = tmp_path / "shots", sinks.write_still
    for name in "AB":
        write_shot(shots / name)

    def until_full(path, *args, **more):
        if path.name == "0001.png" and "A" in path.parts:
            with refusals_named(path):
                raise OSError(28, "No space left on device")
        return write(path, *args, **more)

    monkeypatch.setattr(sinks, "write_still", until_full)
    assert script("predict", f"shots={shots}", f"out={tmp_path}/out", *PLAIN) == 1
    errors = capsys.readouterr().err
    assert "error: shot A: cannot write" in errors
    assert "No space left on device" in errors
    assert made(tmp_path / "out") == ["A/pha/0000.png", *[f"B/pha/000{n}.png" for n in range(3)]]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, quick, capsys):
    write_shot(tmp_path / "shots/A")
    (tmp_path / "out").write_text("a file")
    assert script("predict", f"shots={tmp_path}/shots", f"out={tmp_path}/out", *PLAIN) == 1
    assert "error: shot A: cannot write to folder" in capsys.readouterr().err


def test_a_sweep_over_shots_goes_on_after_a_broken_one(tmp_path, quick, capsys, monkeypatch):
    for name in "ABC":
        write_shot(tmp_path / "shots" / name)
    (tmp_path / "shots/B/bgr.png").unlink()
    monkeypatch.chdir(tmp_path)
    words = [f"shots={tmp_path}/shots", f"out={tmp_path}/out", *PLAIN, "shot=0,1,2"]
    assert script("predict", "-m", *words) == 1
    assert f"shot B: {tmp_path}/shots/B/bgr does not exist" in capsys.readouterr().err
    assert {x.split("/")[0] for x in made(tmp_path / "out")} == {"A", "C"}


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None, reason="needs bgm[sweeps]: submitit"
)
def test_a_job_array_of_submitits_local_executor(tmp_path):
    for name in "AB":
        write_shot(tmp_path / "shots" / name)
    truncate(tmp_path / "shots/B/src/0001.png")
    words = [f"shots={tmp_path}/shots", f"out={tmp_path}/out", *PLAIN, "shot=0,1"]
    words += ["hydra/launcher=submitit_local", f"hydra.sweep.dir={tmp_path}/logs"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "predict.py"), "-m", *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "1 could not be matted: frame 0001 of shot B" in done.stderr
    assert "Traceback" not in done.stderr
    assert made(tmp_path / "out") == [f"A/pha/000{n}.png" for n in range(3)] + [
        f"B/pha/000{n}.png" for n in (0, 2)
    ]


def test_resume_false_resumes_nothing(tmp_path, quick):
    write_shot(tmp_path / "A")
    words = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/out", *PLAIN]
    for _ in range(2):
        quick.clear()
        assert script("predict", *words, "resume=false") == 0
        assert len(quick) == 3


def test_a_folder_that_holds_mattes_is_no_shot(tmp_path, quick, capsys):
    """Mattes of single pictures lie beside them; the next run is about the whole folder."""
    write_shot(tmp_path / "A")
    words = [f"bgr={tmp_path}/A/bgr.png", *PLAIN]
    first = [f"src={tmp_path}/A/src/0000.png", f"out={tmp_path}/A/src"]
    assert script("predict", *first, *words) == 0
    assert script("predict", f"src={tmp_path}/A/src", f"out={tmp_path}/out", *words) == 1
    assert "holds the mattes of an earlier run" in capsys.readouterr().err


def test_a_list_with_a_comma_too_many_or_an_unknown_column_is_refused(tmp_path, quick, capsys):
    write_shot(tmp_path / "A", 1)
    shots = tmp_path / "shots.csv"
    for text, sentence in (
        ("src,bgr,out\nA/src,A/bgr.png,a,b\n", "line 2 has more cells than columns"),
        ("src,bgr,out,despeckle\nA/src,A/bgr.png,a,5\n", "the column 'despeckle', expected src"),
    ):
        shots.write_text(text)
        assert script("predict", f"shots={shots}", *PLAIN) == 1
        assert sentence in capsys.readouterr().err
