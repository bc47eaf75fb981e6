"""Train: python train.py experiment=demo (conf/experiment lists what there is)."""

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import seed_everything

from bgm.cli.curriculum import staged
from bgm.cli.fit import told, trainer_of
from bgm.cli.launch import say, script
from bgm.cli.resuming import resumed


@script("train")
@staged
def main(cfg: DictConfig) -> float | None:
    seed_everything(cfg.seed, workers=True, verbose=False)
    data, stage, trainer = instantiate(cfg.data), instantiate(cfg.lit), trainer_of(cfg)
    if cfg.init:
        say(f"{cfg.init}: {stage.start_from(cfg.init, cfg.init_is)}")
    trainer.fit(stage, data, ckpt_path=resumed(cfg, stage.resumable), weights_only=True)
    return told(trainer)


if __name__ == "__main__":
    main()
