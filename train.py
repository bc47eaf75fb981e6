"""Train: python train.py experiment=demo (conf/experiment lists what there is)."""

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import seed_everything

from bgm.cli.curriculum import staged
from bgm.cli.launch import script
from bgm.run_info import about
from bgm.train.resume import build_data, find_checkpoint
from bgm.train.trainer import add_run_card, build_trainer, load_initial_weights, report_result


@script("train")
@staged
def main(cfg: DictConfig) -> float | None:
    seed_everything(cfg.seed, workers=True, verbose=False)
    stage, trainer = instantiate(cfg.stage), build_trainer(cfg)
    add_run_card(trainer, about(cfg), HydraConfig.get().runtime.output_dir)
    checkpoint = find_checkpoint(cfg, stage.check_resumable)
    load_initial_weights(stage, cfg)
    trainer.fit(stage, build_data(cfg, checkpoint), ckpt_path=checkpoint, weights_only=True)
    return report_result(trainer)


if __name__ == "__main__":
    main()
