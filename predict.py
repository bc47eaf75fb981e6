"""Matte: python predict.py model=FILE src=PICTURE_FOLDER_OR_VIDEO bgr=PLATE out=FOLDER."""

import hydra
from omegaconf import DictConfig

from bgm.cli.launch import command_line, errors_as_sentences
from bgm.console import say
from bgm.infer.inputs import frames_of, mending, sink_for, watched
from bgm.infer.models import open_model
from bgm.infer.predict import predict
from bgm.paths import conf_dir


@hydra.main(config_path=conf_dir(), config_name="predict", version_base="1.3")
def main(cfg: DictConfig) -> None:
    with errors_as_sentences(cfg):
        model = open_model(cfg.model, cfg)
        frames = frames_of(cfg.src, cfg.bgr)
        sink = sink_for(frames, cfg.out, list(cfg.outputs), cfg.background)
        mend = mending(cfg.align, cfg.exposure)
        count = predict(frames=watched(frames), sink=sink, mend=mend, say=say, **model._asdict())
        say(f"{count} {'frame' if count == 1 else 'frames'} matted to {cfg.out}")


if __name__ == "__main__":
    with command_line():
        main()
