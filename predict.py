"""Matte: python predict.py model=FILE src=PICTURE_FOLDER_OR_VIDEO bgr=PLATE out=FOLDER."""

from omegaconf import DictConfig

from bgm.cli.launch import script
from bgm.console import say
from bgm.infer.inputs import frames_of, mending, sink_for, watched
from bgm.infer.models import open_model
from bgm.infer.predict import predict


@script("predict")
def main(cfg: DictConfig) -> None:
    model = open_model(cfg.model, cfg)
    frames = frames_of(cfg.src, cfg.bgr)
    sink = sink_for(frames, cfg.out, list(cfg.outputs), cfg.background)
    mend = mending(cfg.align, cfg.exposure)
    count = predict(frames=watched(frames), sink=sink, mend=mend, say=say, **model._asdict())
    say(f"{count} {'frame' if count == 1 else 'frames'} matted to {cfg.out}")


if __name__ == "__main__":
    main()
