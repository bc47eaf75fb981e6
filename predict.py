"""Matte: python predict.py model=FILE src=PICTURE_FOLDER_OR_VIDEO bgr=PLATE out=FOLDER."""

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig

from bgm.cli.launch import command_line, errors_as_sentences
from bgm.console import say
from bgm.infer.foreground import choose_foreground
from bgm.infer.inputs import matte_steps, open_frames, open_sink, plate_fixes, with_progress
from bgm.infer.models import open_model
from bgm.infer.predict import predict
from bgm.paths import conf_dir
from bgm.pictures import limit_megapixels


@hydra.main(config_path=conf_dir(), config_name="predict", version_base="1.3")
def main(cfg: DictConfig) -> None:
    with errors_as_sentences():
        model = open_model(
            cfg.model,
            device=cfg.device,
            backbone_scale=cfg.backbone_scale,
            base_scale=cfg.base_scale,
            select=instantiate(cfg.get("select")),
            runtime=cfg.runtime,
            optimize=cfg.optimize,
            precision=cfg.precision,
            compile=cfg.compile,
        )
        limit_megapixels(cfg.max_megapixels)
        frames = open_frames(
            cfg.src, cfg.bgr, cfg.linear, cfg.fit, ocio=cfg.ocio, ocio_space=cfg.ocio_space
        )
        sink = open_sink(
            frames,
            cfg.out,
            list(cfg.outputs),
            cfg.background,
            output=cfg.output,
            alpha=cfg.alpha,
            compression=cfg.compression,
        )
        count = predict(
            model.net,
            with_progress(frames),
            sink,
            fixes=plate_fixes(cfg.align, cfg.exposure, cfg.align_every, cfg.fit),
            steps=matte_steps(cfg.calm, cfg.despeckle, cfg.holdout, cfg.garbage),
            foreground=choose_foreground(cfg.fgr),
            device=model.device,
            scale=model.scale,
            say=say,
        )
        say(f"{count} {'frame' if count == 1 else 'frames'} matted to {cfg.out}")


if __name__ == "__main__":
    with command_line():
        main()
