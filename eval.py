"""Score: python eval.py ckpt=FILE data=procedural (or pred=FOLDER; conf/data lists the kinds)"""

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig

from bgm.cli.launch import command_line, errors_as_sentences
from bgm.cli.word_kinds import check_kinds
from bgm.console import say
from bgm.eval.evaluate import (
    MODEL_OPTIONS,
    check_inputs_and_outputs,
    evaluate,
    evaluate_curves,
    open_model_or_predictions,
    score_baselines,
)
from bgm.eval.report import write_report
from bgm.eval.robustness import perturbation_names, show_curves, write_curves
from bgm.eval.scoring import Rules, show_scores, write_scores
from bgm.paths import conf_dir
from bgm.pictures import limit_megapixels
from bgm.signals import StopOnSignal


@hydra.main(config_path=conf_dir(), config_name="eval", version_base="1.3")
def main(cfg: DictConfig) -> None:
    with errors_as_sentences(), StopOnSignal("the same command starts again"):
        check_kinds(cfg)
        limit_megapixels(cfg.max_megapixels)
        perturbations = perturbation_names(cfg.robustness)
        check_inputs_and_outputs(cfg.ckpt, cfg.pred, cfg.out, cfg.report, perturbations)
        scenes = instantiate(cfg.data).finished_scenes(cfg.split)
        rules = Rules(cfg.protocol, cfg.scale, cfg.grad_normalise, cfg.mask_known)
        options = {name: cfg.get(name) for name in MODEL_OPTIONS}
        evaluation = open_model_or_predictions(
            cfg.ckpt, cfg.pred, scenes, rules, cfg.quantise, cfg.out, options
        )
        scores = evaluate(evaluation, cfg.threads, cfg.examples)
        baselines = score_baselines(scenes, rules, evaluation.trimaps) if cfg.baselines else {}
        show_scores(scores, baselines)
        files = write_scores(scores, evaluation.out, baselines)
        curves = evaluate_curves(evaluation, perturbations)
        show_curves(curves)
        curve_files = write_curves(curves, evaluation.out)
        page = write_report(files[-1:], cfg.report) if cfg.report else []
        say(*files, *curve_files, *page, sep="\n")


if __name__ == "__main__":
    with command_line():
        main()
