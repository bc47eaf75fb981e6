"""Fine-tuning: any checkpoint, frozen statistics, and a stop when old data suffer."""

import json
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from torch.utils.data import DataLoader

from bgm.cli.error_messages import error_message
from bgm.errors import BadInput
from bgm.train import (
    ForgettingGuard,
    FrozenBatchNorm,
    PictureGrids,
    fine_tune,
)
from bgm.weights import build
from tests.data.folders import make
from tests.quiet import QUIET
from tests.test_configs import composed
from tests.test_line import ALONE, script
from tests.train.test_stages import BASE, COARSE, PAPER, REFINE, batch, data, stage_of, trainer

LOSS = dict.fromkeys(PAPER + COARSE, 1.0)
LR = {"base": {"backbone": None, "aspp": 1e-3, "decoder": 1e-3}, "refiner": 1e-3}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """One untrained network in the three kinds of file: a base, a refined one, a published one."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    for name, network in (("base", BASE), ("refined", REFINE)):
        state = {f"network.{k}": v for k, v in build(network).state_dict().items()}
        content = {"state_dict": state, "hyper_parameters": {"network": network}}
        torch.save(content, folder / f"{name}.ckpt")
    published = {k.removeprefix("network.").removeprefix("base."): v for k, v in state.items()}
    torch.save(published, folder / "published.pth")
    return folder


@pytest.mark.parametrize(
    ("name", "terms"),
    [("base.ckpt", PAPER), ("refined.ckpt", PAPER + COARSE), ("published.pth", PAPER + COARSE)],
)
def test_the_checkpoint_says_which_stage(checkpoints, name, terms):
    module = fine_tune(str(checkpoints / name), LR, LOSS, warmup_steps=3)
    assert tuple(module.loss_weights) == terms
    assert module.hparams["warmup_steps"] == 3
    report = module.start_from(str(checkpoints / name))
    assert not report.missing
    assert not report.left_over


def test_the_network_may_differ_where_it_has_something_to_differ(checkpoints):
    path = str(checkpoints / "published.pth")
    full = {"_target_": "bgm.model.Full"}
    net = fine_tune(path, LR, LOSS, {"backbone_scale": 0.125, "refiner": {"select": full}}).network
    assert net.backbone_scale == 0.125
    assert type(net.refiner.select).__name__ == "Full"
    with pytest.raises(BadInput, match=r"changes backbone_scale.* has backbone"):
        fine_tune(str(checkpoints / "base.ckpt"), LR, LOSS, {"backbone_scale": 0.125})
    with pytest.raises(BadInput, match=r"starts from one checkpoint, init=FILE"):
        fine_tune(None, LR, LOSS)


def test_words_for_select_change_the_checkpoints_selection(checkpoints):
    """The numbers of a published file, too, whose config has no training_pixels yet."""
    for name in ("refined.ckpt", "published.pth"):
        path = str(checkpoints / name)
        own = fine_tune(path, LR, LOSS, select={"training_pixels": None}).network.refiner.select
        words = {"sample_pixels": None, "training_pixels": 320, "threshold": None}
        select = fine_tune(path, LR, LOSS, select=words).network.refiner.select
        assert (select.sample_pixels, select.training_pixels) == (own.sample_pixels, 320)
    full = {"_target_": "bgm.model.Full", "sample_pixels": None}
    assert type(fine_tune(path, LR, LOSS, select=full).network.refiner.select).__name__ == "Full"
    with pytest.raises(BadInput, match=r"select.threshold: .* selects by Sampling, which has samp"):
        fine_tune(path, LR, LOSS, select={"threshold": 0.2})
    with pytest.raises(BadInput, match=r"select.training_pixels: .*base.ckpt is a base network"):
        fine_tune(str(checkpoints / "base.ckpt"), LR, LOSS, select={"training_pixels": 320})
    with pytest.raises(BadInput, match=r"select is full: expected patches@select=full"):
        fine_tune(path, LR, LOSS, select="full")


def stage_by(checkpoint, *words):
    cfg = composed("train", "experiment=finetune", f"init={checkpoint}", "data_root=x", *words)
    return instantiate(cfg.stage)


def test_the_documented_words_reach_the_network(checkpoints):
    refined = checkpoints / "refined.ckpt"
    words = ("select.training_pixels=320", "stage.network={backbone_scale: 0.125}")
    network = stage_by(refined, *words).network
    assert network.refiner.select.training_pixels == 320
    assert network.backbone_scale == 0.125
    for word in ("backbone=mobilenetv2", "network=refine"):
        with pytest.raises(InstantiationException) as refused:
            stage_by(refined, word)
        assert "takes its network from init=FILE" in error_message(refused.value)


def fitted(folder, callbacks):
    torch.manual_seed(0)
    module = stage_of(BASE, lr=LR["base"])
    before = {k: v.clone() for k, v in module.network.state_dict().items()}
    fit = trainer(folder, max_steps=2, callbacks=callbacks, logger=pl.loggers.CSVLogger(folder))
    fit.fit(module, DataLoader([batch(), batch(seed=1)], batch_size=None))
    after = module.network.state_dict()
    return {k for k in before if not torch.equal(before[k], after[k])}


def test_frozen_statistics_and_parts_stay(tmp_path):
    pictures = PictureGrids(every_n_steps=1)  # it calls module.train()
    changed = fitted(tmp_path, [pictures, FrozenBatchNorm()])
    statistics = {k for k in changed if "running_" in k or "num_batches" in k}
    assert not statistics
    assert {"decoder.conv1.weight", "decoder.bn1.weight", "aspp.project.0.weight"} <= changed
    assert not any(k.startswith("backbone.") for k in changed)
    moved = fitted(tmp_path, [pictures])
    assert any("running_mean" in k for k in moved)  # without it they move
    assert not any(k.startswith("backbone.") for k in moved)  # but not where the rate is null


class Scripted(pl.LightningModule):
    """Validations whose scores are known: pairs of new and old."""

    def __init__(self, scores):
        super().__init__()
        self.layer, self.scores = torch.nn.Linear(1, 1), list(scores)

    def training_step(self, batch, index):
        return self.layer(batch).sum()

    def validation_step(self, batch, index):
        pass

    def on_validation_epoch_end(self):
        new, old = self.scores.pop(0)
        self.log_dict({"val/mad": new, "val/mse": 1.0})
        if old is not None:
            self.log("old/mad", old)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def kept(folder, scores, steps, resume=None, **options):
    keep = ForgettingGuard(folder, limit=0.1)
    fit = pl.Trainer(
        max_steps=steps,
        callbacks=[keep],
        val_check_interval=1,
        **QUIET | {"num_sanity_val_steps": -1} | options,
    )
    ones = DataLoader(torch.ones(100, 1))
    fit.fit(Scripted(scores), ones, ones, ckpt_path=resume, weights_only=True)
    return fit, keep, json.loads((folder / "finetune.json").read_text())


@pytest.mark.parametrize(
    ("scores", "steps", "best"),
    [
        ([(10, 5), (9, 5), (8, 5.4), (8.5, 4)], 3, 2),  # worse by 8 %: borne
        ([(10, 5), (9, 5), (2, 5.6), (1, 5)], 2, 1),  # by 12 %: stopped, and not delivered
        ([(10, 5), (11, 5), (10, 4), (12, 5)], 3, None),  # never better than before
        ([(10, None), (9, None), (8, None), (9, None)], 3, 2),  # nothing to keep
    ],
)
def test_the_best_that_keeps_the_old(tmp_path, scores, steps, best, capsys):
    fit, keep, facts = kept(tmp_path, scores, 3)
    assert fit.global_step == steps
    assert facts["stopped"] == keep.stopped == (steps < 3)
    assert facts["before"]["val"] == {"mad": 10.0, "mse": 1.0}
    assert [row["step"] for row in facts["validations"]] == list(range(1, steps + 1))
    assert (facts["best"] or {"step": None})["step"] == best
    assert (tmp_path / "best.ckpt").is_file() == (best is not None)
    if best is not None:
        stored = torch.load(tmp_path / "best.ckpt", weights_only=True)
        assert stored["global_step"] == best
    said = capsys.readouterr().out
    assert "step 0: new data mad 10" in said
    assert "(before 10)" in said
    assert ("stopped: worse on old data by more than 10%" in said) == (steps < 3)


def test_a_resumed_run_knows_the_score_before(tmp_path):
    kept(tmp_path, [(10, 5), (9, 5)], 1)
    _, _, facts = kept(tmp_path, [(8, 5), (7, 5.6)], 4, resume=tmp_path / "best.ckpt")
    assert facts["before"]["val"]["mad"] == 10
    assert [row["step"] for row in facts["validations"]] == [1, 2, 3]
    assert facts["stopped"]
    assert facts["best"]["step"] == 2


def test_a_score_before_on_other_scenes_is_none(tmp_path):
    keep = ForgettingGuard(tmp_path)
    keep.load_state_dict(keep.state_dict() | {"rows": [{}], "scored_by": ["val/mad", "one"]})
    data = SimpleNamespace(scored_on=lambda: "two")
    with pytest.raises(BadInput, match="scores before training are of other scenes"):
        keep.on_fit_start(SimpleNamespace(datamodule=data), None)


def test_a_score_before_is_needed(tmp_path):
    with pytest.raises(BadInput, match="num_sanity_val_steps is 0, expected -1"):
        kept(tmp_path, [(10, 5)], 1, num_sanity_val_steps=0)


def test_both_sets_are_scored_and_told_apart(tmp_path):
    both = data(tmp_path)
    both.old, both._roots["old"] = both.valid, both._roots["valid"]
    both.lengths["old"] = both.lengths["valid"]
    seen = {}

    class Watch(pl.Callback):
        def on_validation_end(self, trainer, module):
            seen.update({k: float(v) for k, v in trainer.callback_metrics.items()})

    fit = trainer(tmp_path, max_steps=1, callbacks=[Watch()], limit_train_batches=1)
    fit.fit(stage_of(BASE, lr=1e-3, metrics=["mad", "mse"]), both)
    assert {k for k in seen if "/" in k and "train" not in k} == {
        f"{name}/{metric}"
        for name in ("val", "old")
        for metric in ("loss", "mad", "mse", *(f"loss_{term}" for term in PAPER))
    }
    assert seen["val/mad"] == seen["old/mad"] > 0


def test_the_experiment_on_a_folder_without_colours(checkpoints, tmp_path):
    root = make(tmp_path / "mine", subjects=2, backgrounds=2)
    args = [
        "experiment=finetune",
        *ALONE,
        f"init={checkpoints / 'refined.ckpt'}",
        f"data_root={root}",
        f"hydra.run.dir={tmp_path / 'run'}",
        "augment=small_refine",
        "augment.size=64",
        "augment.crop=[48,64]",
        "valid_augment.size=64",
        "valid_augment.crop=[48,60]",
        "old_data.valid_length=2",
        "data.train.new.subjects.use_fgr=false",
        "batch_size=2",
        "workers=0",
        "trainer.max_steps=2",
        "trainer.val_check_interval=1",
        "stage.metrics=[mad]",
    ]
    assert script("train", *args) == 0
    facts = json.loads((tmp_path / "run" / "finetune.json").read_text())
    assert [r["step"] for r in (facts["before"], *facts["validations"])] == [0, 1, 2]
    assert all(r["old"]["mad"] > 0 for r in facts["validations"])
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert card["data"]["train"]["new"]["subjects"] == 2
    assert card["data"]["train"]["old"]["kind"] == card["data"]["old"]["kind"] == "Procedural"
    assert card["metrics"]["train/loss_fgr"] > 0  # of the old samples alone
    mixed = instantiate(composed("train", *args[:1], *args[3:5], *args[6:])["data"]["train"])
    assert [bool(mixed[n].has_fgr) for n in (0, len(mixed) - 1)] == [False, True]


def test_a_checkpoint_of_another_kind_is_refused(checkpoints):
    """What the reference's users find out after a day: the wrong stage to start from."""
    base, refined = (str(checkpoints / f"{name}.ckpt") for name in ("base", "refined"))
    with pytest.raises(BadInput, match=r"base\.ckpt holds a base network.* starts from a refined"):
        stage_of(REFINE, lr=LR).start_from(base, ["refined"])
    with pytest.raises(BadInput, match=r"published\.pth holds a refined network.* from a base or"):
        stage_of(BASE, lr=LR["base"]).start_from(
            str(checkpoints / "published.pth"), ["base", "classifier"]
        )
    with pytest.raises(BadInput, match="init_is names coarse"):
        stage_of(REFINE, lr=LR).start_from(refined, ["coarse"])
    assert not stage_of(REFINE, lr=LR).start_from(refined, ["refined"]).missing
    assert not stage_of(REFINE, lr=LR).start_from(refined, "refined").missing
