"""Paths work as typed on every command line; the user's errors are one sentence."""

import re
import sys
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import InstantiationException
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import train
from bgm.cli import word_kinds
from bgm.cli.launch import (
    as_typed,
    command_line,
    compose_config,
    errors_as_sentences,
    quoted,
)
from bgm.cli.word_kinds import check_choices
from bgm.errors import BadInput
from bgm.paths import conf_dir
from tests.test_line import script

TYPED = st.text(st.sampled_from("ab /.\\'\"()[]{},=:;#%&*?!~^äü-+_0 "), min_size=1)


@settings(max_examples=300, deadline=None)
@given(TYPED)
def test_paths_come_through_as_typed(value):
    if value[0] in "'\"" or value.startswith("~/"):
        return  # quoted for Hydra by the user; a home folder
    if value[0] + value[-1] in ("[]", "{}"):
        return  # a list, a tree: a path only where a file has that name
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


def test_numbers_and_truth_are_what_a_commands_own_config_says(tmp_path, monkeypatch):
    (tmp_path / "x.yaml").write_text(
        "out: ???\nsize: 512\nfast: true\nword: auto\nnone: null\nhome: ${oc.env:HOME,x}\n"
        "more: {n: 1}"
    )
    monkeypatch.setattr(word_kinds, "conf_dir", lambda: str(tmp_path))
    monkeypatch.setattr(
        word_kinds.HydraConfig, "get", lambda: OmegaConf.create("job: {config_name: x}")
    )
    shipped = OmegaConf.load(tmp_path / "x.yaml")

    def refused(**changes):
        try:
            word_kinds.check_kinds(OmegaConf.merge(shipped, changes))
        except BadInput as error:
            return str(error)
        return ""

    for right in ({}, {"size": 1.5}, {"size": [1, 2]}, {"word": 3}, {"none": "a"}, {"none": [1]}):
        assert refused(**{"out": "a"} | right) == ""
    assert refused(out=None) == "out=null: expected a value"
    assert refused(size="large") == "size=large: expected a number"
    assert refused(size=True) == "size=True: expected a number"
    assert refused(size=None) == "size=null: expected a value"
    assert refused(word=None) == "word=null: expected a value"
    assert refused(word=["a"]) == "word=['a']: expected one word"
    assert refused(out=["a"]) == "out=['a']: expected one path"
    assert refused(fast="maybe") == "fast=maybe: expected true or false"
    assert refused(more={"n": "x"}) == "more.n=x: expected a number"


def test_null_is_taken_where_a_configs_comment_says_what_it_means():
    """Of keys that have another value by themselves."""
    line = re.compile(r"^([a-z_]+): (?!null\b|\$)[^#\n]*#.*\bnull\b", re.MULTILINE)
    for path in Path(conf_dir()).glob("*.yaml"):
        assert set(line.findall(path.read_text())) <= word_kinds.OR_NULL, path


def test_a_group_is_chosen_by_a_name():
    assert check_choices(["preset=null", "data=null", "seed=1", "~callbacks"], "export") == [
        "seed=1",
        "~callbacks",
    ]
    assert check_choices(["preset=4k", "export=onnx"], "export") == ["preset=4k", "export=onnx"]
    for arg in ("preset=5", "trainer=null", "export=true", "loss=5"):
        with pytest.raises(BadInput, match=f"{arg} is none of "):
            check_choices([arg], "export")
    with pytest.raises(BadInput, match="data=null is none of "):  # it trains on something
        check_choices(["data=null"], "train")
    with pytest.raises(BadInput, match="expected one preset, not a list"):
        check_choices(["preset=[hd,4k]"], "export")


def test_a_file_that_is_called_like_an_interpolation_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dollar${x}").mkdir()
    override = OverridesParser.create().parse_override(quoted("src=dollar${x}", sweep=False))
    assert OmegaConf.create({"src": override.value()}).src == "dollar${x}"
    assert quoted("src=${data_root}/a", sweep=False) == "src=${data_root}/a"


def test_groups_and_lists_at_the_names_of_paths_stay_what_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert as_typed(["init=[runs/a=b.ckpt,x]"]) == ["init=['runs/a=b.ckpt','x']"]
    for arg in ("ranges.shots={head:1,bust:0.5}", "+a.dir={x:1}"):
        assert as_typed([arg]) == [arg]
    (tmp_path / "{x}").mkdir()
    assert quoted("src={x}", sweep=False) == "src='{x}'"


def test_the_users_errors_are_one_sentence(capsys):
    error = InstantiationException("Error in call to target")
    error.__cause__ = BadInput("folder x holds 0 pictures")  # as Hydra does around a constructor
    with pytest.raises(SystemExit) as stop, errors_as_sentences():
        raise error
    assert stop.value.code == 1
    assert capsys.readouterr().err == "error: folder x holds 0 pictures\n"


def test_our_defects_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), errors_as_sentences():
        _ = 1 / 0


def test_a_missing_value_is_named(capsys):
    cfg = OmegaConf.create({"ckpt": "???"})
    with pytest.raises(SystemExit), errors_as_sentences():
        _ = cfg.ckpt
    assert capsys.readouterr().err == "error: ckpt=... is missing on the command line\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hydra.run.dir={file}/run"], "{file}/run: Not a directory"),
        (["-m", "seed=1,2", "hydra.sweep.dir={file}/a"], "{file}/a: Not a directory"),
        (["bogus=17"], "there is no key bogus: expected one of "),
        (["-m", "seed=1,2", "bogus=17"], "there is no key bogus: expected one of "),
        (["experiment=absent"], "experiment=absent is none of base"),
        (["hydra/launcher=absent"], "hydra/launcher=absent is none of basic"),
    ],
)
def test_what_hydra_refuses_is_one_sentence(tmp_path, monkeypatch, capsys, words, message):
    """Also what it refuses in the jobs of a sweep, and of its own words."""
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", *(word.format(file=file) for word in words)])
    with pytest.raises(SystemExit) as stop, command_line():
        train.main()
    assert stop.value.code == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: {message.format(file=file)}")


def test_lists_of_words_that_hydra_refuses_come_through_word_by_word():
    typed = as_typed(["only=[export=onnx, opset=17]", "before=[/a b/x=1.ckpt,c.ckpt]"])
    found = OverridesParser.create().parse_overrides(typed)
    assert [[str(word) for word in f.value()] for f in found] == [
        ["export=onnx", "opset=17"],
        ["/a b/x=1.ckpt", "c.ckpt"],
    ]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("loss.pha=high", "loss.pha=high: expected a number"),
        ("callbacks.last.every_n_steps=often", "expected a number"),
        ("augment.noise=3", "augment.noise=3: expected null, or keys below it"),
        ("trainer.max_steps=x", "Trainer cannot take it (TypeError: "),
        ("data.train.size=x", "data.train.size=x: expected a number"),
        ("init_is=5", "init_is=5: expected a word"),
        ("batch_size=2.5", "batch_size=2.5: expected a whole number"),
        ("seed=inf", "seed=inf: expected a whole number"),
        ("data_root=there data.train.size=x", "data.train.size=x: expected a number"),
        ("experiment=refine network.backbone_scale=0.7", "error: backbone_scale is 0.7, expected "),
        ("experiment=refine network.backbone_scale=0", "error: backbone_scale is 0, expected "),
        ("experiment=refine select.sample_pixels=-1", "error: sampling has sample_pixels -1, "),
        ("experiment=refine select.training_pixels=0", "error: sampling has training_pixels 0, "),
        (
            "experiment=refine +network.scale=1",
            "error: +network.scale=1: MattingRefine cannot take it (TypeError: ",
        ),
        (
            "callbacks.last.every_n_steps=5 +callbacks.last.often=1",
            "error: +callbacks.last.often=1: LastCheckpoint cannot take it (TypeError: ",
        ),
        (
            "data.train._target_=mypackage.MySet",
            "error: data.train._target_=mypackage.MySet: mypackage.MySet cannot be imported (",
        ),
        (
            "experiment=people init=null",
            "there are no backgrounds: with data=mixed give backgrounds=FOLDER",
        ),
    ],
)
def test_a_word_of_another_kind_is_a_sentence_wherever_it_stands(word, sentence, tmp_path, capsys):
    words = [
        *word.split(),
        "trainer=default",
        "trainer.accelerator=cpu",
        f"hydra.run.dir={tmp_path}/run",
    ]
    assert script("train", *words) == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("error: ")
    assert sentence in said


@pytest.mark.parametrize("word", ["loss.pha=0.5", "augment.noise=null", "+loss.mine=x"])
def test_words_of_the_right_kind_within_groups_pass(word, monkeypatch):
    shipped = compose_config("train", [])
    cfg = compose_config("train", [word])
    hydra = OmegaConf.create({"job": {"config_name": "train"}, "overrides": {"task": [word]}})
    monkeypatch.setattr(word_kinds.HydraConfig, "get", lambda: hydra)
    monkeypatch.setattr(word_kinds.HydraConfig, "initialized", lambda: True)
    monkeypatch.setattr(word_kinds, "compose", lambda *_: shipped)
    word_kinds.check_kinds(cfg)
