"""Score: python eval.py ckpt=FILE data=procedural (or pred=FOLDER; conf/data lists the kinds)"""

from omegaconf import DictConfig

from bgm.cli.launch import script
from bgm.cli.report import write_report
from bgm.console import say
from bgm.eval.baselines import score_baselines
from bgm.eval.evaluate import checked_scenes, open_subject, score_subject
from bgm.eval.robustness import curves_of
from bgm.eval.scoring import write_scores


@script("eval")
def main(cfg: DictConfig) -> None:
    scenes = checked_scenes(cfg)
    subject = open_subject(cfg, scenes)
    scores = score_subject(subject, scenes, cfg)
    baselines = score_baselines(scenes, cfg.protocol, cfg.baselines, rules=subject.rules)
    say(scores.table(), *(b.table(name, pictures=False) for name, b in baselines.items()), sep="\n")
    files = write_scores(scores, subject.out, baselines)
    say(*files, *curves_of(subject, scenes, cfg), *write_report(files[-1:], cfg.report), sep="\n")


if __name__ == "__main__":
    main()
