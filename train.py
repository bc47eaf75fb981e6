"""Train: python train.py experiment=demo (conf/experiment lists what there is)."""

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import seed_everything

from bgm.cli.card import recorded
from bgm.cli.curriculum import staged
from bgm.cli.launch import say, script


@script("train")
@staged
def main(cfg: DictConfig) -> None:
    seed_everything(cfg.seed, workers=True, verbose=False)
    data, stage = instantiate(cfg.data), instantiate(cfg.lit)
    if cfg.init:
        say(f"{cfg.init}: {stage.start_from(cfg.init, cfg.init_is)}")
    trainer = recorded(instantiate(cfg.trainer), cfg)
    trainer.fit(stage, data, ckpt_path=stage.resumable(cfg.resume), weights_only=True)
    say(f"checkpoints and TensorBoard: {trainer.default_root_dir}")


if __name__ == "__main__":
    main()
