"""TolerantTensorBoardLogger on a full disk: a gap, and the training goes on."""

import logging
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from bgm.train import PictureGrids, TolerantTensorBoardLogger


def broken(logger):
    """As TensorBoard's thread leaves it when a write fails."""
    worker = logger.experiment.file_writer.event_writer._async_writer._worker
    worker.exception = OSError(28, "No space left on device")


def test_what_cannot_be_written_is_a_gap(tmp_path, caplog):
    logger = TolerantTensorBoardLogger(
        tmp_path, name=None, version="tensorboard", default_hp_metric=False
    )
    logger.log_metrics({"loss": 1.0}, 1)
    logger.experiment.flush()
    broken(logger)
    with caplog.at_level(logging.WARNING, "bgm.train"):
        for step in (2, 3, 4):
            logger.log_metrics({"loss": 1.0}, step)
    assert caplog.text.count("No space left on device") == 1
    logger.finalize("success")
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    # TensorBoard numbers the files of one process, and reads .10 before .9 of the same second.
    assert sorted(e.step for e in events.Scalars("loss")) == [1, 3, 4]


def test_the_end_of_a_training_bears_it_too(tmp_path):
    logger = TolerantTensorBoardLogger(tmp_path)
    logger.log_metrics({"loss": 1.0}, 1)
    broken(logger)
    logger.finalize("success")


def test_pictures_are_left_out_where_not_even_a_file_can_be_begun(tmp_path):
    (tmp_path / "full").write_bytes(b"")  # no folder can be made below it
    trainer = SimpleNamespace(loggers=[TolerantTensorBoardLogger(tmp_path / "full")], global_step=1)
    with pytest.raises(NotADirectoryError):
        _ = trainer.loggers[0].experiment
    PictureGrids().write(trainer, "val/pictures", torch.zeros(3, 4, 4))


def test_what_nobody_could_write_is_still_an_error(tmp_path):
    with pytest.raises(ValueError, match="not supported"):
        TolerantTensorBoardLogger(tmp_path).log_metrics({"loss": "low"}, 1)
