"""Export: python export.py ckpt=FILE export=onnx (conf/export lists the targets)."""

from hydra.utils import instantiate
from omegaconf import DictConfig

import bgm
from bgm.cli.launch import script
from bgm.console import say
from bgm.export import card
from bgm.export.calibration import calibrated
from bgm.export.certify.matting_set import examination
from bgm.files import beside


@script("export")
def main(cfg: DictConfig) -> None:
    net = bgm.load(cfg.ckpt)
    exporter = calibrated(instantiate(cfg.export), net, cfg)
    out = cfg.out or beside(cfg.ckpt, exporter.suffix)
    say(f"writing {out} and certifying it against PyTorch: about two minutes")
    certificate = exporter(net, out, card(cfg.ckpt), examination(cfg.certify, exporter))
    say(f"{certificate.report}\n{out}\n{out}.certificate.md")


if __name__ == "__main__":
    main()
