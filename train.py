"""Train: python train.py experiment=demo (conf/experiment lists what there is)."""

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import seed_everything

from bgm.cli.curriculum import run_curriculum
from bgm.cli.launch import command_line, errors_as_sentences, silence_lightning
from bgm.paths import conf_dir
from bgm.run_info import about
from bgm.train.resume import data_of, resumed
from bgm.train.trainer import add_run_card, initialised, told, trainer_of


@hydra.main(config_path=conf_dir(), config_name="train", version_base="1.3")
def main(cfg: DictConfig) -> float | None:
    with errors_as_sentences(cfg):
        if cfg.stages:
            return run_curriculum(cfg)
        silence_lightning()
        seed_everything(cfg.seed, workers=True, verbose=False)
        stage, trainer = instantiate(cfg.stage), trainer_of(cfg)
        add_run_card(trainer, about(cfg), HydraConfig.get().runtime.output_dir)
        checkpoint = resumed(cfg, stage.resumable)
        initialised(stage, cfg)
        trainer.fit(stage, data_of(cfg, checkpoint), ckpt_path=checkpoint, weights_only=True)
        return told(trainer)


if __name__ == "__main__":
    with command_line():
        main()
