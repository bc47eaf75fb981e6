"""The datamodule: what it refuses, where scenes are kept, what arrives in a step."""

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer

from bgm.data.datamodule import MattingData
from bgm.data.scenes import Scenes, write_scenes
from bgm.errors import BadInput
from bgm.types import Batch, Sample
from tests.quiet import QUIET


class Toy:
    """Samples whose pictures have their draw number as their value."""

    def __init__(self, length=10, seed=0):
        self.length, self.seed = length, seed

    def __len__(self):
        return self.length

    def __getitem__(self, draw):
        x = torch.full((3, 4, 6 + draw % 2), draw, dtype=torch.uint8)
        return Sample(x[:1], x, x[..., :4], torch.tensor(True), torch.tensor(draw))


class Compose(torch.nn.Module):
    """Stands in for an augmentation, with a tensor that must follow the batch."""

    def __init__(self, size=4):
        super().__init__()
        self.size = size
        self.register_buffer("scale", torch.tensor(255.0))

    def forward(self, sample):
        x = sample.fgr[..., : self.size].float() / self.scale
        return Batch(x, x, x[:, :1], x, sample.has_fgr)


@pytest.fixture
def data(tmp_path):
    def make(**options):
        defaults = {"train": Toy(), "valid": Toy(6), "augment": Compose()}
        defaults |= {"valid_augment": Compose(), "batch_size": 4, "workers": 0}
        return MattingData(**(defaults | options), cache=tmp_path / "cache")

    return make


class Watch(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.train_batches, self.valid_batches = [], []

    def training_step(self, batch, _):
        self.train_batches.append(batch)
        return self.layer(batch.pha.mean(dim=(1, 2, 3))[:, None]).mean()

    def validation_step(self, batch, _):
        self.valid_batches.append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-3)


def fit(data, **options):
    module = Watch()
    trainer = Trainer(
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        **QUIET | {"max_epochs": 2} | options,
    )
    trainer.fit(module, datamodule=data)
    return module


@pytest.mark.parametrize("workers", [0, 1])
def test_a_fit_gets_augmented_batches_and_every_scene(data, workers):
    module = fit(data(workers=workers))
    assert len(module.train_batches) == 4  # 10 // 4 in each of two epochs
    assert all(isinstance(batch, Batch) for batch in module.train_batches)
    values = [
        (batch.pha[:, 0, 0, 1] * 255).round().int().tolist() for batch in module.train_batches
    ]
    assert {value // 10 for value in values[0] + values[1]} == {0}
    assert {value // 10 for value in values[2] + values[3]} == {1}
    assert len(module.valid_batches) == 12
    seen = [int((batch.pha[0, 0, 0, 0] * 255).round()) for batch in module.valid_batches[:6]]
    assert seen == [0, 1, 2, 3, 4, 5]


def test_training_without_validation(data):
    assert len(fit(data(valid=None), max_epochs=1).train_batches) == 2


def test_scenes_without_a_trainer(data, tmp_path):
    module = data(valid_length=8)
    module.prepare_data()
    module.setup("test")
    scenes = module.scenes("valid")
    assert isinstance(scenes, Scenes)
    assert len(scenes) == 8  # two of them from epoch 1
    assert [batch.src.shape[0] for batch in module.val_dataloader()] == [1] * 8
    assert module.test_dataloader() == []
    with pytest.raises(BadInput, match="no test set"):
        module.scenes("test")


def test_scenes_that_are_scored_on_have_a_name(data):
    names = []
    for options in ({}, {}, {"valid_length": 8}, {"old": Toy(6)}):
        made = data(**options)
        made.prepare_data()
        names.append(made.scored_on())
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_each_recipe_has_a_folder_of_its_own(data, tmp_path):
    recipes = [
        {},
        {"valid": Toy(6, seed=1)},
        {"valid_augment": Compose(3)},
        {"valid_length": 3},
        {},
    ]
    for options in recipes:
        data(**options).prepare_data()
    folders = [path.name for path in (tmp_path / "cache").iterdir()]
    assert len(folders) == 4
    assert all(name.startswith("valid-") for name in folders)


def test_finished_scenes_are_taken_as_they_are(data, tmp_path):
    x = torch.rand(3, 8, 8)
    write_scenes(tmp_path / "mine", [Batch(x, x, x[:1], x, torch.tensor(True))] * 5, list("abcde"))
    module = data(
        test=Scenes(tmp_path / "mine"), valid_augment=None, valid=None, valid_batch_size=2
    )
    module.prepare_data()
    module.setup("test")
    assert [len(batch.src) for batch in module.test_dataloader()] == [2, 2, 1]
    assert not (tmp_path / "cache").exists()


class Ranked:
    """As much of a trainer as the loaders ask for."""

    world_size = 2

    def __init__(self, rank):
        self.global_rank = rank


def test_ranks_share_scenes_and_draws(data):
    drawn, scored = [], []
    for rank in range(2):
        module = data(batch_size=2, valid=Toy(5))
        module.trainer = Ranked(rank)
        module.prepare_data()
        module.setup("fit")
        drawn += [draw for batch in module.train_dataloader() for draw in batch.draw.tolist()]
        scored.append([int(batch.pha[0, 0, 0, 0] * 255 + 0.5) for batch in module.val_dataloader()])
    assert scored == [[0, 2, 4], [1, 3]]
    assert len(drawn) == len(set(drawn)) == 8
    module = data(batch_size=6)
    module.trainer = Ranked(0)
    with pytest.raises(BadInput, match=r"10 items for 2 process.*one batch of 6"):
        module.setup("fit")
    module = data(valid=Toy(1))
    module.trainer = Ranked(0)
    module.prepare_data()
    with pytest.raises(BadInput, match="1 scenes for 2 processes"):
        module.setup("fit")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"augment": None}, "needs an augment"),
        ({"valid_augment": None}, "valid is a dataset of Samples and needs a valid_augment"),
        ({"batch_size": 0}, "batch_size >= 1"),
        ({"valid_length": 0}, "at least 1 scene"),
        ({"valid": None, "valid_length": 3}, "valid_length=3 needs valid"),
    ],
)
def test_refused_at_construction(data, options, sentence):
    with pytest.raises(BadInput, match=sentence):
        data(**options)


def test_refused_in_setup(data, tmp_path):
    with pytest.raises(BadInput, match=r"10 items for 1 process.*one batch of 11"):
        data(batch_size=11, valid=None).setup("fit")
    with pytest.raises(BadInput, match="no train set"):
        data(train=None).train_dataloader()
    module = data(valid_batch_size=2, valid_augment=Compose(9))  # widths of 6 and 7
    module.prepare_data()
    with pytest.raises(BadInput, match="6x4 and 7x4 pixels; batches of 2"):
        module.setup("validate")
