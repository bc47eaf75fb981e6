"""Training and validation data for Lightning: loaders, order, and augmentation on the device."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bgm.data.doctor.diagnosis import checkup
from bgm.data.fingerprint import about, fingerprint
from bgm.data.interfaces import ResizableAugment
from bgm.data.loaders.augment_in_workers import WorkerAugmentLoader
from bgm.data.loaders.file_snapshot import file_snapshots
from bgm.data.loaders.resumable import Loader
from bgm.data.loaders.sampler import DrawSampler, ShardSampler
from bgm.data.loaders.skip_broken import Faults, SkipBroken, SkipBrokenLoader
from bgm.data.scenes import Scenes, materialise, stack
from bgm.errors import BadInput, check_at_least
from bgm.extras import extra_named
from bgm.types import Batch, Sample

with extra_named():
    from pytorch_lightning import LightningDataModule


class MattingData(LightningDataModule):
    """A dataset of Samples to train on, and fixed scenes to validate and test on.

    train: a dataset of Samples; augment turns its batches to Batches, on the device.
    valid, test: `Scenes`, or datasets of Samples that are composed through valid_augment once, to
    cache/<name>-<fingerprint> (valid_length, test_length of them; default: one epoch).
    old: the same for what the network was trained on before: validated after valid, each time.
    batch_size is per process; ranks share the work. Scenes must have one size for
    valid_batch_size > 1. bad_files: how many different broken training files a process tolerates,
    each named once and replaced by another sample; scenes tolerate none. checkup_seconds: for
    the doctor's short form before a training, 0 for none. Without a trainer: `prepare_data()`,
    `setup("test")`, `scenes("test")`.
    Raises BadInput at construction and in setup for what cannot be trained or scored on.
    """

    def __init__(
        self,
        train=None,
        valid=None,
        test=None,
        old=None,
        augment: Callable[[Sample], Batch] | None = None,
        valid_augment: Callable[[Sample], Batch] | None = None,
        *,
        batch_size: int = 8,
        valid_batch_size: int = 1,
        workers: int = 2,
        seed: int = 0,
        cache: str | Path = "data/cache",
        valid_length: int | None = None,
        test_length: int | None = None,
        old_length: int | None = None,
        bad_files: int = 10,
        checkup_seconds: float = 5.0,
    ) -> None:
        super().__init__()
        self.train, self.valid, self.test, self.old = train, valid, test, old
        self.augment, self.valid_augment = augment, valid_augment
        self.batch_size, self.valid_batch_size = batch_size, valid_batch_size
        self.workers, self.seed, self.cache = workers, seed, Path(cache)
        self.lengths: dict[str, Any] = {
            "valid": valid_length,
            "test": test_length,
            "old": old_length,
        }
        self.faults, self.checkup_seconds = Faults(bad_files), checkup_seconds
        self._scenes: dict[str, Scenes] = {}
        check_at_least("data", 1, batch_size=batch_size, valid_batch_size=valid_batch_size)
        check_at_least("data", 0, workers=workers, seed=seed, bad_files=bad_files)
        if train is not None and augment is None:
            raise BadInput("training data is a dataset of Samples and needs an augment")
        if old is not None and valid is None:
            raise BadInput("old is validated beside valid, and there is no valid")
        # Named now: an augmentation that has been used may look different.
        self._roots = {name: self._root(name) for name in self.lengths}

    def prepare_data(self) -> None:
        """Look over the training's files and compose the scenes that are not on disk yet.

        One process does it. Without a trainer there is nothing to look over.
        """
        if self.trainer is not None and self.checkup_seconds > 0:
            sets = {name: getattr(self, name) for name in ("train", "valid")}
            for line in checkup(sets, self.checkup_seconds):
                print(line, flush=True)
        for name, root in self._roots.items():
            if root is not None and self.valid_augment is not None:
                materialise(root, getattr(self, name), self.valid_augment, self.lengths[name])

    def setup(self, stage: str | None = None) -> None:
        """Look at the scenes and, for stage "fit" or None, at what is trained on."""
        if stage in ("fit", None) and self.train is not None:
            self._check_train()
        for name in self.lengths:
            if getattr(self, name) is not None:
                self._check_scenes(self.scenes(name))

    def scenes(self, name: str) -> Scenes:
        """The finished scenes "valid", "test" or "old"; `prepare_data` must have run."""
        if name not in self._scenes:
            if getattr(self, name) is None:
                raise BadInput(f"this data has no {name} set")
            root = self._roots[name]
            self._scenes[name] = getattr(self, name) if root is None else Scenes(root)
        return self._scenes[name]

    def finished_scenes(self, name: str) -> Scenes:
        """`scenes`, without a trainer: composed now if they are not on disk yet."""
        self.prepare_data()
        return self.scenes(name)

    def facts(self) -> dict[str, dict]:
        """What each set is, how many items it has, and a fingerprint of its files and options."""
        sets = {name: getattr(self, name) for name in ("train", *self.lengths)}
        return {name: about(dataset) for name, dataset in sets.items() if dataset is not None}

    def scored_on(self) -> str:
        """A short name of the scenes that are validated on: equal scores of others say nothing.

        Of their names and bytes alone: code that was edited since makes no other scenes of them.
        """
        names = [name for name in ("valid", "old") if getattr(self, name) is not None]
        return fingerprint({name: self.scenes(name).describe() for name in names})

    def state_dict(self) -> dict:
        """What a checkpoint keeps: the files that the training began with, in their order."""
        writes = self.trainer is None or self.trainer.is_global_zero
        return {"snapshot": file_snapshots(self)} if writes else {}

    def train_dataloader(self) -> SkipBrokenLoader:
        """Batches of Samples, in an order that a resumed run continues exactly.

        On a CPU with workers they augment them as well, and batches are Batches already.
        """
        if self.train is None:
            raise BadInput("this data has no train set")
        sampler = DrawSampler(len(self.train), self.seed, True, *self._rank_and_world())
        options = {"batch_size": self.batch_size, "sampler": sampler, "drop_last": True}
        options |= self._workers()
        dataset = SkipBroken(self.train, self.seed)
        ahead = self.workers > 0 and isinstance(self.augment, ResizableAugment)
        # On a GPU the workers would be slower than it is.
        if ahead and self.trainer and self.trainer.strategy.root_device.type == "cpu":
            return WorkerAugmentLoader(dataset, self.faults, self.augment, **options)
        return SkipBrokenLoader(dataset, self.faults, **options)

    def val_dataloader(self) -> Loader | list:
        """Batches of the valid scenes of this rank, none dropped, none twice; [] without them.

        With old scenes a list of two loaders, theirs second.
        """
        if self.old is not None:
            return [self._scene_loader("valid"), self._scene_loader("old")]
        return [] if self.valid is None else self._scene_loader("valid")

    def test_dataloader(self) -> Loader | list:
        """Batches of the test scenes of this rank, none dropped, none twice; [] without them."""
        return [] if self.test is None else self._scene_loader("test")

    @torch.no_grad()
    def on_after_batch_transfer(self, batch: Sample | Batch, dataloader_idx: int = 0) -> Batch:
        """Augment Samples, on whatever device they have arrived; Batches pass."""
        if isinstance(batch, Batch):
            return batch
        if self.augment is None:
            raise BadInput("training data is a dataset of Samples and needs an augment")
        if isinstance(self.augment, torch.nn.Module):  # Lightning does not move a datamodule's
            self.augment.to(batch.pha.device)
        return self.augment(batch)

    def _scene_loader(self, name: str) -> Loader:
        scenes = self.scenes(name)
        return Loader(
            scenes,
            batch_size=self.valid_batch_size,
            sampler=ShardSampler(len(scenes), *self._rank_and_world()),
            collate_fn=stack,
            **self._workers(),
        )

    def _workers(self) -> dict:
        return {
            "num_workers": self.workers,
            "persistent_workers": self.workers > 0,
            "pin_memory": torch.cuda.is_available(),
        }

    def _rank_and_world(self) -> tuple[int, int]:
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _root(self, name: str) -> Path | None:
        """Where the scenes of a dataset of Samples are kept; None when they are finished files."""
        dataset, length = getattr(self, name), self.lengths[name]
        if dataset is None or isinstance(dataset, Scenes):
            if length is not None:
                raise BadInput(f"{name}_length={length} needs {name} to be a dataset of Samples")
            return None
        if self.valid_augment is None:
            raise BadInput(f"{name} is a dataset of Samples and needs a valid_augment")
        self.lengths[name] = length = len(dataset) if length is None else length
        if length < 1:
            raise BadInput(f"{name} needs at least 1 scene, found {length}")
        return self.cache / f"{name}-{fingerprint(dataset, self.valid_augment, length)}"

    def _check_train(self) -> None:
        world = self._rank_and_world()[1]
        if len(self.train) // world < self.batch_size:
            raise BadInput(
                f"training data has {len(self.train)} items for {world} process(es), fewer than "
                f"one batch of {self.batch_size} each: lower batch_size"
            )

    def _check_scenes(self, scenes: Scenes) -> None:
        world, sizes = self._rank_and_world()[1], sorted(set(scenes.sizes))
        if len(scenes) < world:
            raise BadInput(f"{scenes.root} has {len(scenes)} scenes for {world} processes")
        if self.valid_batch_size > 1 and len(sizes) > 1:
            (h, w), (H, W) = sizes[:2]
            raise BadInput(
                f"{scenes.root} has scenes of {w}x{h} and {W}x{H} pixels; "
                f"batches of {self.valid_batch_size} need one size: set valid_batch_size=1"
            )
