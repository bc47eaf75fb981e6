"""Train: python train.py experiment=demo (conf/experiment lists what there is)."""

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import seed_everything

from bgm.cli.card import recorded
from bgm.cli.launch import say, script


@script("train")
def main(cfg: DictConfig) -> None:
    seed_everything(cfg.seed, workers=True, verbose=False)
    data, stage = instantiate(cfg.data), instantiate(cfg.lit)
    if cfg.init:
        say(f"{cfg.init}: {stage.start_from(cfg.init)}")
    trainer = recorded(instantiate(cfg.trainer), cfg)
    trainer.fit(stage, data, ckpt_path=stage.resumable(cfg.resume), weights_only=True)
    say(f"checkpoints and TensorBoard: {HydraConfig.get().runtime.output_dir}")


if __name__ == "__main__":
    main()
