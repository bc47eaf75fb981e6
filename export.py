"""Export: python export.py ckpt=FILE export=onnx (conf/export lists the targets)."""

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig

import bgm
from bgm.cli.launch import command_line, errors_as_sentences
from bgm.console import say
from bgm.export import card
from bgm.export.calibration import calibrated
from bgm.export.certify.matting_set import examination
from bgm.files import beside
from bgm.paths import conf_dir


@hydra.main(config_path=conf_dir(), config_name="export", version_base="1.3")
def main(cfg: DictConfig) -> None:
    with errors_as_sentences(cfg):
        net = bgm.load(cfg.ckpt)
        exporter = calibrated(instantiate(cfg.export), net, cfg)
        out = cfg.out or beside(cfg.ckpt, exporter.suffix)
        say(f"writing {out} and certifying it against PyTorch: about two minutes")
        certificate = exporter(net, out, card(cfg.ckpt), examination(cfg.certify, exporter))
        say(f"{certificate.report}\n{out}\n{out}.certificate.md")


if __name__ == "__main__":
    with command_line():
        main()
