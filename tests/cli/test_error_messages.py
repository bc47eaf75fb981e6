"""What a machine cannot do is one sentence with what to change; so is a changed config."""

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from torch.utils.data import DataLoader

from bgm.cli.error_messages import error_message
from bgm.cli.launch import errors_as_sentences
from bgm.errors import BadInput, Stopped
from bgm.paths import conf_dir
from bgm.train import AtomicCheckpointIO
from bgm.train.resume import differences, find_checkpoint
from bgm.train.trainer import check_counts, needs_no_gpu
from tests.quiet import QUIET
from tests.train.test_finetuning import Scripted


def composed(*overrides):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return compose("train", ["experiment=small", "data_root=x", "name=a", *overrides])


TRAINED = ("callbacks.best.dirpath=x", "callbacks.last.dirpath=x", "trainer.default_root_dir=x")
TRAINED += ("trainer.logger.save_dir=x",)  # Hydra knows these when it runs a job


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has"),
        MemoryError("Unable to allocate 3.00 GiB for an array"),
    ],
)
def test_a_batch_that_does_not_fit_says_what_to_lower(error):
    said = error_message(error)
    assert "does not fit in memory" in said
    assert "lower batch_size, augment.crop" in said
    assert "\n" not in said


def test_pytorchs_own_words_for_no_memory_are_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert "does not fit in memory" in error_message(caught.value)


def test_an_error_that_comes_from_itself_ends():
    first, second = OSError(28, "No space left on device"), ValueError("you tried to log")
    first.__context__, second.__cause__ = second, first
    assert error_message(first) == "a file: No space left on device"
    assert error_message(second) is None


def test_a_lost_process_is_a_sentence(monkeypatch):
    error = RuntimeError(
        "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer "
        "[127.0.0.1]:1234"
    )
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert error_message(RuntimeError("shapes differ")) is None
    said = error_message(error)
    assert said.startswith("process 1 lost contact with another one")
    assert "(Connection closed by peer [127" in said


def test_stopping_is_code_75_for_the_first_process_only(monkeypatch, capsys):
    for rank, code in (("0", 75), ("1", 0)):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(SystemExit) as stop, errors_as_sentences():
            raise Stopped("stopped by SIGTERM after step 3: go on with resume=x")
        assert stop.value.code == code
    assert capsys.readouterr().out.count("after step 3") == 1


def test_what_needs_a_gpu_is_refused_without_one():
    needs_no_gpu(composed("trainer=ddp_cpu"))
    with pytest.raises(BadInput, match=r"sync_batchnorm=true needs GPUs.*ddp_cpu"):
        needs_no_gpu(composed("trainer=ddp"))
    with pytest.raises(BadInput, match=r"precision=16-mixed needs a GPU.*bf16-mixed"):
        needs_no_gpu(composed("trainer=ddp_cpu", "trainer.precision=16-mixed"))


@pytest.mark.parametrize("word", ["val_check_interval=0", "check_val_every_n_epoch=0"])
def test_a_trainer_that_would_divide_by_nothing_is_refused(word):
    key = word.partition("=")[0]
    check_counts(composed())
    with pytest.raises(BadInput, match=f"trainer.{key} is 0, expected a number above 0"):
        check_counts(composed(f"trainer.{word}"))


def test_an_interval_that_no_epoch_has_says_what_to_set(tmp_path):
    fit = pl.Trainer(val_check_interval=50, max_steps=1, default_root_dir=tmp_path, **QUIET)
    three = DataLoader(torch.ones(3, 1))
    with pytest.raises(ValueError, match="val_check_interval") as caught:
        fit.fit(Scripted([(1, 1)]), three, three)
    said = error_message(caught.value)
    assert said.startswith("trainer.val_check_interval=50 steps are more than an epoch has, 3: ")
    assert "trainer.check_val_every_n_epoch=null" in said


def test_keys_that_differ_from_those_of_a_checkpoint_are_named(tmp_path):
    before = OmegaConf.to_container(composed(*TRAINED), resolve=True)
    same = ("workers=7", "data_root=y", "trainer.max_steps=9", "callbacks.last.every_n_steps=1")
    assert differences(before, composed(*TRAINED, *same)) == []
    other = ("seed=1", "stage.lr.aspp=0.5", "augment.crop=[8,16]", "~callbacks.ema")
    found = differences(before, composed(*TRAINED, *other))
    assert "seed 0 -> 1" in found
    assert "stage.lr.aspp 0.008 -> 0.5" in found
    assert any(f.startswith("augment.crop ") for f in found)
    assert "callbacks.ema.decay 0.9 -> absent" in found
    assert not any(f.startswith("data.train") for f in found)  # they follow the seed
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"global_step": 1, "bgm_card": {"config": before}}, path)
    with pytest.raises(BadInput, match=r"last.ckpt cannot be resumed as it is.* seed 0 -> 1"):
        find_checkpoint(composed(*TRAINED, *other, f"resume={path}"), tmp_path, str)
    go_on = [*TRAINED, *other, f"resume={tmp_path}", "resume_changed=allow"]
    assert find_checkpoint(composed(*go_on), tmp_path, str) == str(path)
    assert find_checkpoint(composed(*TRAINED), tmp_path / "new", str) is None


def test_a_training_begins_behind_no_checkpoint_of_its_folder(tmp_path):
    """What it would overwrite, and resume=auto would mistake for it."""
    own, other = tmp_path / "own", tmp_path / "other.ckpt"
    for path, step in ((own / "last.ckpt", 4), (own / "last.ckpt", 6), (other, 5)):
        AtomicCheckpointIO().save_checkpoint({"global_step": step}, path)
    before = own / "last-previous.ckpt"
    for words, begins in (
        ([], "a new training"),
        ([f"resume={before}"], "one from step 4 on"),
        ([f"resume={other}"], "one from step 5 on"),
    ):
        with pytest.raises(BadInput, match=f"last.ckpt holds step 6 of a training, which {begins}"):
            find_checkpoint(composed(*TRAINED, *words), own, str)
    for word in ("resume=auto", f"resume={own}"):
        assert find_checkpoint(composed(*TRAINED, word), own, str) == str(own / "last.ckpt")
    assert find_checkpoint(composed(*TRAINED, f"resume={other}"), tmp_path / "new", str)
    (own / "last.ckpt").write_bytes(b"")  # broken: what is left is the newest
    assert find_checkpoint(composed(*TRAINED, "resume=auto"), own, str) == str(before)


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("trainer.gradient_clip_val=null", "trainer.gradient_clip_val"),
        ("+trainer.gradient_clip_algorithm=value", "trainer.gradient_clip_algorithm"),
        ("+trainer.sync_batchnorm=true", "trainer.sync_batchnorm"),
        ("stage.lr.aspp=null", "stage.lr.aspp"),
        ("augment.sharpen={_target_:bgm.augment.Sharpen}", "augment.sharpen._target_"),
        ("+callbacks.still._target_=bgm.train.FrozenBatchNorm", "callbacks.still._target_"),
        ("+callbacks.mine._target_=mypackage.Mine", "callbacks.mine._target_"),
        ("callbacks.grow=null", "callbacks.grow._target_"),
        ("loss.com_other=0.5", "loss.com_other"),
        ("+callbacks.ema.update_starting_at_step=9", "callbacks.ema.update_starting_at_step"),
    ],
)
def test_what_came_or_went_is_a_difference(word, key):
    one, other = composed(*TRAINED), composed(*TRAINED, word)
    for old, new in ((one, other), (other, one)):
        found = differences(OmegaConf.to_container(old, resolve=True), new)
        shown = [f.removeprefix(f"{key} ") for f in found if f.startswith(f"{key} ")]
        assert len(shown) == 1, found
        assert "absent" in shown[0].split(" -> ")


def test_keys_that_a_later_version_added_are_no_difference():
    """What is a reference, a loss term of weight 0, or an argument at its default."""
    before = OmegaConf.to_container(composed(*TRAINED), resolve=True)
    del before["stage"]["seed"], before["loss"]["com_other"], before["augment"]["crops"]
    del before["trainer"]["accumulate_grad_batches"], before["callbacks"]["pictures"]
    words = ("+callbacks.ema.update_starting_at_step=0", "+augment.exact=0", "stage.metrics=[mad]")
    found = differences(before, composed(*TRAINED, *words, "callbacks.best.monitor=val/grad"))
    assert found == []


def test_a_batch_too_small_for_batchnorm_is_a_sentence():
    with pytest.raises(ValueError, match="more than 1 value") as caught:
        torch.nn.BatchNorm2d(3)(torch.zeros(1, 3, 1, 1))
    assert "batch_size=2" in str(error_message(caught.value))


@pytest.mark.parametrize(
    ("name", "word", "sentence"),
    [
        ("predict", "modle=x", "there is no key modle: did you mean model=?"),
        ("predict", "ckpt=x", "there is no key ckpt: did you mean model=?"),
        ("predict", "scale=1", "there is no key scale: did you mean backbone_scale=?"),
        ("predict", "teapot=1", "there is no key teapot: expected one of model, src, "),
        ("export", "model=x", "there is no key model: did you mean ckpt=?"),
        (
            "train",
            "trainer.max_step=3",
            "there is no key trainer.max_step: did you mean max_steps=? (+trainer.max_step=",
        ),
        ("train", "data.zzz=3", "there is no key data.zzz: expected one of _target_, "),
    ],
)
def test_an_unknown_key_gets_the_one_that_is_like_it(name, word, sentence):
    with (
        initialize_config_dir(conf_dir(), version_base="1.3"),
        pytest.raises(HydraException) as refused,
    ):
        compose(name, ["data_root=x", "name=a", word] if name == "train" else [word])
    assert error_message(refused.value).startswith(sentence)
