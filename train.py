"""Train: python train.py experiment=demo (conf/experiment lists what there is)."""

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import seed_everything

from bgm.cli.curriculum import staged
from bgm.cli.launch import script
from bgm.run_info import about
from bgm.train.resume import data_of, resumed
from bgm.train.trainer import add_run_card, initialised, told, trainer_of


@script("train")
@staged
def main(cfg: DictConfig) -> float | None:
    seed_everything(cfg.seed, workers=True, verbose=False)
    stage, trainer = instantiate(cfg.stage), trainer_of(cfg)
    add_run_card(trainer, about(cfg), HydraConfig.get().runtime.output_dir)
    checkpoint = resumed(cfg, stage.resumable)
    initialised(stage, cfg)
    trainer.fit(stage, data_of(cfg, checkpoint), ckpt_path=checkpoint, weights_only=True)
    return told(trainer)


if __name__ == "__main__":
    main()
