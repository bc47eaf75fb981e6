"""Score: python eval.py ckpt=FILE data=procedural (conf/data lists the kinds of data)."""

from hydra.utils import instantiate
from omegaconf import DictConfig

from bgm.cli.launch import beside, say, script
from bgm.cli.models import open_model
from bgm.cli.scoring import by_network, finished_scenes, score_baselines, score_scenes, write_scores


@script("eval")
def main(cfg: DictConfig) -> None:
    model = open_model(cfg.ckpt, cfg)
    scenes = finished_scenes(instantiate(cfg.data), cfg.split)
    scores = score_scenes(scenes, by_network(model), cfg.protocol)
    files = write_scores(scores, cfg.out or beside(cfg.ckpt, f"-{scenes.root.name}"))
    say(scores.table(), *files, sep="\n")
    for name, baseline in score_baselines(scenes, cfg.protocol, cfg.baselines).items():
        say(baseline.table(name, pictures=False))


if __name__ == "__main__":
    main()
