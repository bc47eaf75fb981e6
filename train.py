"""Train: python train.py experiment=demo (conf/experiment lists what there is)."""

import signal
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from bgm.cli.curriculum import run_curriculum
from bgm.cli.launch import command_line, errors_as_sentences, silence_lightning
from bgm.cli.word_kinds import check_kinds
from bgm.paths import conf_dir
from bgm.pictures import limit_megapixels
from bgm.run_info import describe_run
from bgm.signals import StopOnSignal
from bgm.train.callbacks.run_card import RunCard
from bgm.train.resume import build_data, find_checkpoint
from bgm.train.trainer import (
    build_trainer,
    load_initial_weights,
    report_result,
    seed_training,
)


@hydra.main(config_path=conf_dir(), config_name="train", version_base="1.3")
def main(cfg: DictConfig) -> float | None:
    # From its first step on a training has its own way to stop: `bgm.train.LastCheckpoint`.
    with errors_as_sentences(), StopOnSignal("the same command starts again", [signal.SIGTERM]):
        check_kinds(cfg)
        limit_megapixels(cfg.max_megapixels)
        if cfg.stages:
            run_curriculum(cfg)
            return None
        silence_lightning()
        seed_training(cfg.seed)
        own = Path(HydraConfig.get().runtime.output_dir)
        card = RunCard(describe_run(cfg), own)
        stage, trainer = instantiate(cfg.stage), build_trainer(cfg, card)
        checkpoint = find_checkpoint(cfg, own, stage.check_resumable)
        load_initial_weights(stage, cfg)
        trainer.fit(stage, build_data(cfg, checkpoint), ckpt_path=checkpoint, weights_only=True)
        return report_result(trainer)


if __name__ == "__main__":
    with command_line():
        main()
