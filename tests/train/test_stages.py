"""Training on procedural pictures: terms, averaged weights, growing crops, pictures, resume."""

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins import MixedPrecision
from torch.utils.data import DataLoader

import bgm
from benchmarks.kills import differences
from bgm.augment import Augment
from bgm.data import MattingData, Procedural
from bgm.errors import BadInput
from bgm.train import (
    Ema,
    GrowCrops,
    LastCheckpoint,
    MattingStage,
    PictureGrids,
    TolerantTensorBoardLogger,
)
from bgm.train.callbacks.weight_averaging import warmup_average
from bgm.types import Batch
from tests.quiet import QUIET

BASE = {"_target_": "bgm.model.MattingBase", "backbone": {"_target_": "bgm.model.mobilenetv2"}}
REFINE = {
    "_target_": "bgm.model.MattingRefine",
    "base": BASE,
    "refiner": {"_target_": "bgm.model.PatchRefiner"},
    "backbone_scale": 0.25,
}


PAPER = ("pha", "pha_sobel", "fgr", "err")  # loss terms
COARSE = ("pha_sm", "pha_sm_sobel", "fgr_sm")


def stage_of(network, lr, **options):
    """A stage for BASE or REFINE with the paper's loss."""
    names = (*PAPER, *COARSE) if network is REFINE else PAPER
    return MattingStage(network, lr, dict.fromkeys(names, 1.0), **options)


def batch(B=2, H=64, W=64, seed=0):
    g = torch.Generator().manual_seed(seed)
    src, bgr, fgr = (torch.rand(B, 3, H, W, generator=g) for _ in range(3))
    return Batch(src, bgr, torch.rand(B, 1, H, W, generator=g), fgr, torch.ones(B).bool())


def data(tmp_path, size=48, workers=0):
    return MattingData(
        train=Procedural(size, 8, 0),
        valid=Procedural(size, 2, 1),
        augment=Augment(size),
        valid_augment=Augment(size),
        batch_size=2,
        workers=workers,
        cache=tmp_path / "cache",
    )


def trainer(tmp_path, **options):
    return pl.Trainer(
        default_root_dir=tmp_path,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **QUIET | {"enable_checkpointing": False} | options,
    )


@pytest.mark.parametrize("network", [BASE, REFINE])
def test_a_stage_learns_one_batch_by_heart(network, tmp_path):
    pl.seed_everything(0, verbose=False)
    module, losses = stage_of(network, lr=2e-3), []
    module.log = lambda name, value, **_: (
        losses.append(float(value)) if name.endswith("/loss") else 0
    )
    one = batch()
    trainer(tmp_path, max_steps=12).fit(module, DataLoader([one] * 12, batch_size=None))
    assert sum(losses[-3:]) < 0.85 * sum(losses[:3])


def test_a_checkpoint_loads_as_the_network_that_was_trained(tmp_path):
    module = stage_of(REFINE, lr=1e-3)
    fit = trainer(tmp_path, max_steps=1, callbacks=[Ema(decay=0.5)])
    fit.fit(module, DataLoader([batch()], batch_size=None))
    fit.save_checkpoint(tmp_path / "x.ckpt")
    back = bgm.load(tmp_path / "x.ckpt")
    assert back.backbone_scale == 0.25
    for name, value in module.network.state_dict().items():
        assert torch.equal(back.state_dict()[name], value), name


def test_average_is_not_the_start(tmp_path):
    # Lightning alone validates and writes the initial weights before the first update.
    module = stage_of(BASE, lr=1e-2)
    ema = Ema(decay=0.9, update_starting_at_step=1000)
    fit = trainer(tmp_path, max_steps=2, callbacks=[ema])
    start = {k: v.clone() for k, v in module.network.state_dict().items()}
    fit.fit(module, DataLoader([batch()] * 2, batch_size=None))
    fit.save_checkpoint(tmp_path / "x.ckpt")
    written = bgm.load(tmp_path / "x.ckpt").state_dict()
    assert not torch.equal(written["decoder.conv4.weight"], start["decoder.conv4.weight"])


def test_an_early_average_is_of_late_weights():
    average, decay = torch.zeros(3), 0.99
    for n in range(1, 31):
        average = warmup_average(decay)(average, torch.full((3,), float(n)), torch.tensor(n))
    assert 26 < average[0] < 30  # a plain average of this decay would stand at 4.2
    late = warmup_average(decay)(torch.zeros(1), torch.ones(1), torch.tensor(10_000))
    torch.testing.assert_close(late, torch.tensor([1 - decay]))


def test_crops_grow_with_the_steps(tmp_path):
    seen = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, index):
            seen.append(batch.src.shape[-1])

    grow = GrowCrops([[0.0, 32, 32], [0.5, 48, 48]])
    fit = trainer(tmp_path, max_steps=4, callbacks=[grow, Watch()], limit_val_batches=0)
    fit.fit(stage_of(BASE, lr=1e-3), data(tmp_path))
    assert seen == [32, 32, 48, 48]


def test_pictures_are_written(tmp_path):
    logger = TolerantTensorBoardLogger(tmp_path, name=None)
    tags = []
    logger.experiment.add_image = lambda tag, picture, step: tags.append((tag, picture.shape[0]))
    fit = trainer(tmp_path, max_steps=2, logger=logger, callbacks=[PictureGrids(every_n_steps=2)])
    fit.fit(stage_of(REFINE, lr=1e-3), data(tmp_path, 64))
    assert tags == [("train/pictures", 3)]
    fit.validate(stage_of(REFINE, lr=1e-3), data(tmp_path, 64), verbose=False)
    assert tags[-1] == ("val/pictures", 3)


def test_loss_that_is_not_finite_stops_with_its_terms(tmp_path):
    bad = batch()
    bad.pha[0, 0, 0, 0] = float("nan")
    with pytest.raises(BadInput, match=r"not finite .*pha nan"):
        trainer(tmp_path, max_steps=1).fit(
            stage_of(BASE, lr=1e-3), DataLoader([bad], batch_size=None)
        )


def scaled():
    """float16 with a loss scaler, which Lightning has on GPUs only."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8, growth_interval=2)
    return {"plugins": [MixedPrecision("16-mixed", "cpu", scaler)], "accumulate_grad_batches": 2}


@pytest.mark.slow  # CPUs are slow at float16; benchmarks/kills.py does the same in float32
@pytest.mark.parametrize(("kill_at", "options"), [(2, dict), (3, scaled)])
def test_resumed_equals_uninterrupted_to_the_bit(tmp_path, kill_at, options):
    class Kill(pl.Callback):
        def on_train_batch_start(self, trainer, module, batch, index):
            if trainer.global_step == kill_at:
                self.met = getattr(self, "met", 0) + 1
                if self.met == trainer.accumulate_grad_batches:  # amid what is accumulated
                    raise RuntimeError("killed")

    def run(folder, *extra, resume=None):
        pl.seed_everything(0, verbose=False)
        module = stage_of(BASE, lr=1e-3, warmup_steps=2, final_lr=0.1)
        callbacks = [Ema(decay=0.5), LastCheckpoint(folder, every_n_steps=1), *extra]
        given = {"limit_val_batches": 0, "enable_checkpointing": True, **options()}
        fit = trainer(folder, max_steps=6, callbacks=callbacks, **given)
        fit.fit(module, data(tmp_path), ckpt_path=resume, weights_only=True)
        return torch.load(folder / "last.ckpt", weights_only=True)

    whole = run(tmp_path / "whole")
    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path / "half", Kill())
    resumed = run(tmp_path / "half", resume=tmp_path / "half" / "last.ckpt")
    assert resumed["global_step"] == 6
    parts = {"current_model_state", "state_dict", "averaging_state", "optimizer_states"}
    parts |= {"lr_schedulers"} | ({"MixedPrecision"} if options is scaled else set())
    for part in parts:  # the weights, their average, ...
        assert list(differences(whole[part], resumed[part], part)) == []


def test_accumulated_gradients_are_those_of_the_larger_batch(tmp_path):
    # Every term is a mean over the batch, so the law holds where BatchNorm sees no batch.
    class Frozen(MattingStage):
        def on_train_batch_start(self, batch, index):
            self.network.eval()

        def on_before_optimizer_step(self, optimizer):
            gradients.append([p.grad.clone() for p in self.network.parameters()])

    gradients, one = [], batch(B=4)
    halves = [Batch(*(x[i : i + 2] for x in one)) for i in (0, 2)]
    for batches in ([one], halves):
        pl.seed_everything(0, verbose=False)
        fit = trainer(tmp_path, max_steps=1, accumulate_grad_batches=len(batches))
        module = Frozen(BASE, 1e-3, dict.fromkeys(PAPER, 1.0))
        fit.fit(module, DataLoader(batches, batch_size=None))
    for a, b in zip(*gradients, strict=True):
        assert float((a - b).norm()) <= 1e-5 * max(1.0, float(a.norm()))
