"""What predict.py does not write over: its inputs, and pictures that are the user's."""

import shutil

import pytest
import torch

from bgm.pictures import write_png
from tests.infer.shots import PLAIN, made, write_shot
from tests.test_line import script


@pytest.mark.parametrize("out", ["A/src", "A/src/mattes"])
def test_mattes_do_not_go_among_the_pictures_they_are_made_of(tmp_path, quick, capsys, out):
    write_shot(tmp_path / "A")
    before = made(tmp_path)
    words = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/{out}", *PLAIN]
    assert script("predict", *words) == 1
    assert "the next run would matte these mattes" in capsys.readouterr().err
    assert made(tmp_path) == before


def test_what_predict_did_not_write_is_not_written_over(tmp_path, quick, capsys):
    """As the true mattes of finished scenes, in whose folder somebody has the mattes written."""
    write_shot(tmp_path / "A")
    truth = tmp_path / "A/pha/0001.png"
    write_png(truth, torch.zeros(1, 8, 12, dtype=torch.uint8))
    before = truth.read_bytes()
    words = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/A"]
    assert script("predict", *words, "align=false", "outputs=[com]") == 0
    for _ in range(2):  # that other outputs are there makes these no own ones
        assert script("predict", *words, *PLAIN) == 1
        assert f"{truth} is there already and is none of predict.py's" in capsys.readouterr().err
    assert truth.read_bytes() == before
    truth.unlink()
    for outputs in ("pha", "com", "pha"):
        assert script("predict", *words, "align=false", f"outputs=[{outputs}]") == 0


@pytest.mark.parametrize("word", ["bgr", "garbage", "holdout", "background"])
def test_what_is_read_is_not_written_over(tmp_path, quick, capsys, word):
    write_shot(tmp_path / "A")
    read = tmp_path / "out/com/0001.png"
    read.parent.mkdir(parents=True)
    shutil.copy(tmp_path / "A/bgr.png", read)
    before = read.read_bytes()
    words = {"src": f"{tmp_path}/A/src", "bgr": f"{tmp_path}/A/bgr.png", "out": f"{tmp_path}/out"}
    words |= {word: str(read)}
    assert script("predict", *(f"{key}={value}" for key, value in words.items())) == 1
    assert f"{read} is read as {word} and would be written over" in capsys.readouterr().err
    assert read.read_bytes() == before


def test_mattes_do_not_take_the_place_of_a_shot(tmp_path, quick, capsys):
    for name in "AB":
        write_shot(tmp_path / name, 1)
    assert script("predict", f"shots={tmp_path}", f"out={tmp_path}/A", *PLAIN) == 1
    assert "is itself a shot" in capsys.readouterr().err
    assert script("predict", f"shots={tmp_path}", f"out={tmp_path}/mattes", *PLAIN) == 0
    assert script("predict", f"shots={tmp_path}", f"out={tmp_path}/mattes", *PLAIN) == 0
