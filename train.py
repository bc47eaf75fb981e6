"""Train: python train.py experiment=demo (conf/experiment lists what there is)."""

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import seed_everything

from bgm.cli.fit import score, trainer_of
from bgm.cli.launch import say, script
from bgm.cli.resuming import resumed


@script("train")
def main(cfg: DictConfig) -> float | None:
    seed_everything(cfg.seed, workers=True, verbose=False)
    data, stage, trainer = instantiate(cfg.data), instantiate(cfg.lit), trainer_of(cfg)
    if cfg.init:
        say(f"{cfg.init}: {stage.start_from(cfg.init)}")
    trainer.fit(stage, data, ckpt_path=resumed(cfg, stage.resumable), weights_only=True)
    say(f"checkpoints and TensorBoard: {HydraConfig.get().runtime.output_dir}")
    return score(trainer)


if __name__ == "__main__":
    main()
