"""Paths work as typed on every command line; the user's errors are one sentence."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import InstantiationException
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from bgm.cli.launch import as_typed, guarded, quoted, run_dirs_writable, sentence
from bgm.errors import BadInput

TYPED = st.text(st.sampled_from("ab /.\\'\"()[]{},=:;#%&*?!~^äü-+_0 "), min_size=1)


@settings(max_examples=300, deadline=None)
@given(TYPED)
def test_paths_come_through_as_typed(value):
    if value[0] in "'\"" or value.startswith("~/"):
        return  # quoted for Hydra by the user; a home folder
    override = OverridesParser.create().parse_override(quoted(f"src={value}", sweep=False))
    assert override.value() == value


def test_what_hydra_understands_stays():
    for arg in (
        "trainer=ddp",
        "stage.lr={base: 1e-4}",
        "seed=1,2",
        "ckpt=null",
        "-m",
        "+a.b=[1,2]",
    ):
        assert as_typed([arg]) == [arg]
    assert (
        quoted("data.train.subjects.root=a, b (1)", False) == "data.train.subjects.root='a, b (1)'"
    )
    assert quoted("ckpt=a,b", sweep=True) == "ckpt=a,b"


def test_the_users_errors_are_one_sentence(capsys):
    def body(cfg):
        try:
            raise BadInput("folder x holds 0 pictures")
        except BadInput as error:  # as Hydra does around a constructor
            raise InstantiationException("Error in call to target") from error

    with pytest.raises(SystemExit) as stop:
        guarded(body)(None)
    assert stop.value.code == 1
    assert capsys.readouterr().err == "error: folder x holds 0 pictures\n"


def test_our_defects_keep_their_traceback():
    assert sentence(KeyError("pha")) is None
    with pytest.raises(ZeroDivisionError):
        guarded(lambda cfg: 1 / 0)(None)


def test_a_missing_value_is_named(capsys):
    cfg = OmegaConf.create({"ckpt": "???"})
    with pytest.raises(SystemExit):
        guarded(lambda cfg: cfg.ckpt)(cfg)
    assert capsys.readouterr().err == "error: ckpt=... is missing on the command line\n"


def test_a_run_folder_that_cannot_be_made_is_told_before_hydra_tries(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"cannot be made: .*file is a file, expected a folder"):
        run_dirs_writable([f"hydra.run.dir='{tmp_path}/file/run'"])
    with pytest.raises(BadInput, match="is a file"):
        run_dirs_writable([f"hydra.sweep.dir={tmp_path}/file/${{name}}"])
    run_dirs_writable(["seed=1", f"hydra.run.dir={tmp_path}/a/b", "hydra.run.dir=${name}", "-m"])
    assert not (tmp_path / "a").exists()


def test_lists_of_words_that_hydra_refuses_come_through_word_by_word():
    typed = as_typed(["only=[export=onnx, opset=17]", "before=[/a b/x=1.ckpt,c.ckpt]"])
    found = OverridesParser.create().parse_overrides(typed)
    assert [[str(word) for word in f.value()] for f in found] == [
        ["export=onnx", "opset=17"],
        ["/a b/x=1.ckpt", "c.ckpt"],
    ]
