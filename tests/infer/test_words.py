"""Words of predict.py: those without effect, of another kind, and what may be typed."""

import pytest

from tests.infer.shots import PLAIN, made, write_shot
from tests.test_line import script


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["shot=3"], "shot=3 is one of shots=..., which is not given"),
        (["ocio_space=ACES"], "ocio_space=ACES is a space of ocio=CONFIG, which is not given"),
        (["ocio=x.ocio", "linear=true"], "linear=True: what pictures hold is said by ocio=x.ocio"),
        (["shots=x"], "is in shots=x already: leave one out"),
        (["background=#00ff00"], "background=#00ff00 changes com, found outputs=pha"),
        (["alpha=premultiplied"], "alpha=premultiplied changes com, found outputs=pha"),
        (["fgr=unmix"], "fgr=unmix changes com, fgr, found outputs=pha"),
        (["despeckle=9", "outputs=[err]"], "despeckle=9 changes com, pha, fgr, found outputs=err"),
        (["calm=1", "outputs=[err,ref]"], "calm=1 changes com, pha, fgr, found outputs=err,ref"),
        (
            ["background=#00ff00", "alpha=straight", "outputs=[com]"],
            "alpha=straight is of com without a background",
        ),
        (["compression=dwaa", "output=png"], "compression=dwaa is of EXR, found output=png"),
    ],
)
def test_a_word_without_effect_is_refused(tmp_path, quick, capsys, words, sentence):
    write_shot(tmp_path / "A")
    shot = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/out"]
    assert script("predict", *shot, *PLAIN, *words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert not (tmp_path / "out").exists()


def test_what_has_no_effect_on_these_pictures_is_said_once(tmp_path, quick, capsys):
    write_shot(tmp_path / "A")
    words = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/out"]
    words += ["outputs=[pha]", "align_every=2", "compression=piz"]
    assert script("predict", *words) == 0
    said = capsys.readouterr().out
    assert said.count("compression=piz is of EXR, it is written as png") == 1
    assert said.count("align_every=2 is for videos, pictures are aligned each") == 1


def test_calm_is_said_to_leave_pictures_as_they_are_once(tmp_path, quick, capsys):
    write_shot(tmp_path / "A")
    words = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/out", *PLAIN]
    assert script("predict", *words, "calm=0.5") == 0
    assert capsys.readouterr().out.count("calm=0.5 is for videos, its pictures stay as") == 1
    assert script("predict", *words) == 0
    assert "calm=" not in capsys.readouterr().out


def test_words_that_mean_nothing_are_one_sentence(tmp_path, quick, capsys):
    write_shot(tmp_path / "A")
    words = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/out"]
    assert script("predict", *words, "progress=dots") == 1
    assert capsys.readouterr().err == ("error: progress is dots, expected one of bar, json, none\n")
    assert script("predict", words[2], f"shots={tmp_path}/absent") == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["despeckle=abc"], "despeckle=abc: expected a number"),
        (["calm=true"], "calm=True: expected a number"),
        (["resume=maybe"], "resume=maybe: expected true or false"),
        (["fit=maybe"], "fit=maybe: expected true or false"),
        (["exposure=maybe"], "exposure=maybe: expected true or false"),
        (["src=null"], "src=null: expected a value"),
        (["bgr=null"], "bgr=null: expected a value"),
        (["out=null"], "out=null: expected a value"),
        (["outputs=null"], "outputs=null: expected a value"),
        (["outputs=[pha,5]"], "outputs: found 5, expected some of com"),
        (["outputs=pha,teapot"], "outputs: found teapot, expected some of com"),
        (["background=true", "outputs=[com]"], "background true is neither a colour"),
        (["holdout=[a]"], "holdout=['a']: expected one path"),
        (["device=[cpu]"], "device=['cpu']: expected one word"),
        (["device=null"], "device=null: expected a value"),
        (["calm=[0.5]"], "calm=[0.5]: expected a number"),
        (["src=[a,b]"], "src=['a', 'b']: expected one path"),
        (
            ["background=0,300,0", "outputs=[com]"],
            "background 0,300,0: expected three numbers from 0 to 255",
        ),
        (
            ["background=[0,300,0]", "outputs=[com]"],
            "background 0,300,0: expected three numbers from 0 to 255",
        ),
        (["align=auto", "align_every=1.5"], "align_every=1.5: expected a whole number"),
        (["align=auto", "align_every=x"], "align_every=x: expected a number"),
    ],
)
def test_words_of_another_kind_are_one_sentence(tmp_path, quick, capsys, words, sentence):
    write_shot(tmp_path / "A")
    shot = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/out"]
    assert script("predict", *shot, *PLAIN, *words) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_colour_and_outputs_may_be_typed_with_commas(tmp_path, quick):
    write_shot(tmp_path / "A", 1)
    words = [f"src={tmp_path}/A/src", f"bgr={tmp_path}/A/bgr.png", f"out={tmp_path}/out"]
    assert script("predict", *words, "align=false", "outputs=com,pha", "background=0,255,0") == 0
    assert made(tmp_path / "out") == ["com/0000.png", "pha/0000.png"]
