"""Score: python eval.py ckpt=FILE data=procedural (conf/data lists the kinds of data)."""

from hydra.utils import instantiate
from omegaconf import DictConfig

from bgm.cli.launch import beside, say, script
from bgm.cli.models import open_model
from bgm.cli.robustness import chosen, score_curves, show_curves
from bgm.cli.scoring import by_network, finished_scenes, score_baselines, score_scenes, write_scores


@script("eval")
def main(cfg: DictConfig) -> None:
    model, wanted = open_model(cfg.ckpt, cfg), chosen(cfg.robustness)
    scenes = finished_scenes(instantiate(cfg.data), cfg.split)
    out = cfg.out or beside(cfg.ckpt, f"-{scenes.root.name}")
    scores = score_scenes(scenes, by_network(model), cfg.protocol)
    say(scores.table(), *write_scores(scores, out), sep="\n")
    for name, baseline in score_baselines(scenes, cfg.protocol, cfg.baselines).items():
        say(baseline.table(name, pictures=False))
    show_curves(score_curves(scenes, by_network(model), cfg.protocol, wanted), out)


if __name__ == "__main__":
    main()
