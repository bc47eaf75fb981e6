"""Export: python export.py ckpt=FILE export=onnx (conf/export lists the targets)."""

from pathlib import Path

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig

import bgm
from bgm.cli.launch import command_line, errors_as_sentences
from bgm.cli.word_kinds import check_kinds
from bgm.console import say
from bgm.errors import check_at_least
from bgm.export import CertifyOptions, check_export, export_and_certify, provenance
from bgm.export.calibration import calibration_pairs
from bgm.export.certify.matting_set import MattingSet
from bgm.files import beside, check_other_file
from bgm.model.selection import check_kernel_size
from bgm.paths import conf_dir
from bgm.pictures import limit_megapixels
from bgm.signals import StopOnSignal
from bgm.weights import read_weights


@hydra.main(config_path=conf_dir(), config_name="export", version_base="1.3")
def main(cfg: DictConfig) -> None:
    with errors_as_sentences(), StopOnSignal("the same command starts again"):
        check_kinds(cfg)
        limit_megapixels(cfg.max_megapixels)
        check_at_least("certify", 0, scenes=cfg.certify.scenes)
        net = bgm.load(cfg.ckpt)
        target = instantiate(cfg.export)
        what = cfg.ckpt if target.part is None else f"part={target.part} of {cfg.ckpt}"
        check_kernel_size(target.refiner(net), cfg.kernel_size, what)
        target.licence = cfg.licence or read_weights(cfg.ckpt).about.get("licence")
        matting_set = MattingSet(cfg.certify.scenes, target.shape) if cfg.certify.scenes else None
        options = CertifyOptions(cfg.certify.grid, matting_set)
        out = Path(cfg.out or beside(cfg.ckpt, target.suffix))
        for file in target.files(out):
            check_other_file(file, ckpt=cfg.ckpt)
        has_data = cfg.get("data") is not None
        target.calibration = [] if has_data else None
        check_export(target, net, out, options)  # before pictures are drawn, and minutes announced
        if has_data:
            scenes = instantiate(cfg.data).finished_scenes(cfg.calibration.split)
            count = min(cfg.calibration.scenes, len(scenes))
            target.calibration = calibration_pairs(target, net, (scenes[i] for i in range(count)))
        say(f"writing {out} and certifying it against PyTorch: this takes minutes")
        certificate = export_and_certify(target, net, out, provenance(cfg.ckpt), options)
        say(f"{certificate.report}\n{out}\n{out}.certificate.md")


if __name__ == "__main__":
    with command_line():
        main()
