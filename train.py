"""Train: python train.py experiment=demo (conf/experiment lists what there is)."""

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import seed_everything

from bgm.cli.curriculum import staged
from bgm.cli.fit import initialised, told, trainer_of
from bgm.cli.launch import script
from bgm.cli.resuming import data_of, resumed


@script("train")
@staged
def main(cfg: DictConfig) -> float | None:
    seed_everything(cfg.seed, workers=True, verbose=False)
    stage, trainer = instantiate(cfg.lit), trainer_of(cfg)
    checkpoint = resumed(cfg, stage.resumable)
    initialised(stage, cfg)
    trainer.fit(stage, data_of(cfg, checkpoint), ckpt_path=checkpoint, weights_only=True)
    return told(trainer)


if __name__ == "__main__":
    main()
