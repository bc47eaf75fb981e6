"""The order of draws: shared among ranks, and the same after a resume as without one."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from bgm.data.loaders.resumable import Loader, ResumableLoader
from bgm.data.loaders.sampler import DrawSampler, ShardSampler
from bgm.errors import BadInput
from tests.quiet import QUIET


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(1, 40),
    world=st.integers(1, 4),
    seed=st.integers(0, 9),
    start=st.integers(0, 9),
)
def test_ranks_share_an_epoch(length, world, seed, start):
    drawn = []
    for rank in range(world):
        sampler = DrawSampler(length, seed, rank=rank, world=world)
        sampler.set_epoch(3)
        draws = list(sampler)
        assert len(draws) == len(sampler) == length // world
        sampler.start = start
        assert list(sampler) == draws[start:]
        drawn += draws
    assert len(set(drawn)) == len(drawn)
    assert {draw // length for draw in drawn} <= {3}


@settings(max_examples=40, deadline=None)
@given(length=st.integers(0, 40), world=st.integers(1, 4))
def test_shards_hold_everything_once(length, world):
    shards = [ShardSampler(length, rank, world) for rank in range(world)]
    assert sorted(index for shard in shards for index in shard) == list(range(length))
    assert [len(list(shard)) for shard in shards] == [len(shard) for shard in shards]


def test_order_is_a_function_of_seed_and_epoch():
    def order(seed, epoch):
        sampler = DrawSampler(30, seed)
        sampler.set_epoch(epoch)
        return [draw % 30 for draw in sampler]

    assert order(1, 2) == order(1, 2)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4
    assert list(DrawSampler(4, shuffle=False)) == [0, 1, 2, 3]


class Draws(torch.utils.data.Dataset):
    """Thirteen items; each is its draw number."""

    def __len__(self):
        return 13

    def __getitem__(self, draw):
        return torch.tensor(draw)


class Broken(Draws):
    def __getitem__(self, draw):
        raise BadInput(f"picture {draw} is broken\nand says so")


def loader(workers=0, batch_size=3, kind=ResumableLoader, **options):
    return kind(
        Draws(),
        batch_size=batch_size,
        sampler=DrawSampler(13, 7, **options),
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


class Seen(LightningModule):
    """Remembers which draws it was trained on."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen = []

    def training_step(self, batch, _):
        self.seen.append(batch.tolist())
        return self.layer(batch.float()[:, None]).mean()

    def validation_step(self, batch, _):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-3)


class Stop(Callback):
    """Saves after so many steps and ends the run, as a scheduler of machines would."""

    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True


def fit(data, callbacks=(), ckpt_path=None, epochs=3, **options):
    module = Seen()
    Trainer(
        max_epochs=epochs,
        callbacks=list(callbacks),
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
        **QUIET | options,
    ).fit(module, data, ckpt_path=ckpt_path)
    return module.seen


def uninterrupted(per_epoch=4):
    order = []
    for epoch in range(3):
        data = loader()
        data.sampler.set_epoch(epoch)
        order += [batch.tolist() for batch in data][:per_epoch]
    return order


# Within epoch 0, at its end, within epoch 1, at its end.
@pytest.mark.parametrize(("step", "workers"), [(1, 0), (4, 0), (6, 0), (8, 0), (6, 2), (8, 2)])
def test_a_resumed_run_sees_what_the_uninterrupted_one_would(tmp_path, step, workers):
    whole = fit(loader(workers))
    assert whole == uninterrupted()
    assert len(whole) == 12
    path = tmp_path / "last.ckpt"
    first = fit(loader(workers), [Stop(step, path)])
    assert first == whole[:step]
    assert fit(loader(workers), ckpt_path=path) == whole[step:]


def test_resumed_twice_in_one_epoch(tmp_path):
    fit(loader(), [Stop(5, tmp_path / "a.ckpt")])
    fit(loader(), [Stop(7, tmp_path / "b.ckpt")], tmp_path / "a.ckpt")
    assert fit(loader(), ckpt_path=tmp_path / "b.ckpt") == uninterrupted()[7:]


def test_resumed_from_the_end_of_a_shortened_epoch(tmp_path):
    saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    whole = fit(loader(), [saver], limit_train_batches=2)
    assert whole == [batch for e in range(3) for batch in uninterrupted()[4 * e : 4 * e + 2]]
    again = fit(loader(), ckpt_path=tmp_path / "epoch=1.ckpt", limit_train_batches=2)
    assert again == whole[4:]


def test_without_lightning_position_counts_what_was_handed_out():
    data = loader(workers=2)
    batches = iter(data)
    first = [next(batches).tolist() for _ in range(2)]
    state = pickle.loads(pickle.dumps(data.state_dict()))
    other = loader()
    other.load_state_dict(state)
    assert other.state_dict() == state
    iter(other)  # asked for and not used: nothing is lost
    assert first + [batch.tolist() for batch in other] == uninterrupted()[:4]
    assert [batch.tolist() for batch in other] == uninterrupted()[:4]


def test_resuming_over_other_data_is_refused_within_an_epoch():
    data = loader()
    next(iter(data))
    state = data.state_dict()
    other = loader(batch_size=2)
    other.load_state_dict(state)
    with pytest.raises(BadInput, match=r"after batch 1 of epoch 0.*batch_size 3 -> 2"):
        next(iter(other))
    other = loader(batch_size=2)
    other.load_state_dict(state)
    other.sampler.set_epoch(1)  # a whole epoch is ahead: any batch size will do
    assert len(list(other)) == 6


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", [Loader, ResumableLoader])
def test_a_broken_file_keeps_its_sentence(kind, workers, monkeypatch):
    # PyTorch waits this long for the workers of an iterator that was left in the middle.
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.2)
    data = kind(Broken(), batch_size=2, sampler=DrawSampler(13, shuffle=False), num_workers=workers)
    with pytest.raises(BadInput) as caught:
        next(iter(data))
    assert str(caught.value) == "picture 0 is broken\nand says so"
    assert caught.value.__cause__ is None


@pytest.mark.filterwarnings("ignore")
def test_lightnings_overfitting_works():
    assert len(fit(loader(), overfit_batches=2, epochs=2)) == 4
