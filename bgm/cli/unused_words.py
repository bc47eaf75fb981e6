"""Words of predict.py's command line that would have no effect beside the others."""

from omegaconf import DictConfig, OmegaConf

from bgm.errors import BadInput
from bgm.infer.outputs import check_outputs

MATTE = ("com", "pha", "fgr")
CHANGES = {  # the outputs that a word changes
    **dict.fromkeys(("background", "alpha"), ("com",)),
    **dict.fromkeys(("calm", "despeckle", "holdout", "garbage"), MATTE),
}


def check_unused(cfg: DictConfig) -> None:
    """Raise BadInput, before anything is opened, for a word that nothing would come of.

    What depends on the shot, a video or pictures, is said where the shot is opened.
    """
    if cfg.shots is None:
        if cfg.shot is not None:
            raise BadInput(f"shot={cfg.shot} is one of shots=..., which is not given")
    else:
        for word in ("src", "bgr"):
            if not OmegaConf.is_missing(cfg, word):
                raise BadInput(f"{word}={cfg[word]} is in shots={cfg.shots} already: leave one out")
    if cfg.ocio_space is not None and cfg.ocio is None:
        raise BadInput(f"ocio_space={cfg.ocio_space} is a space of ocio=CONFIG, which is not given")
    if cfg.ocio is not None and cfg.linear != "auto":
        raise BadInput(f"linear={cfg.linear}: what pictures hold is said by ocio={cfg.ocio}")
    outputs = check_outputs(cfg.outputs)
    words = [word for word in CHANGES if cfg[word]] + (["fgr"] if cfg.fgr == "unmix" else [])
    for word in words:
        changed = CHANGES.get(word, ("com", "fgr"))
        if not set(changed) & set(outputs):
            raise BadInput(
                f"{word}={cfg[word]} changes {', '.join(changed)}, found outputs="
                f"{','.join(outputs)}"
            )
    if cfg.alpha is not None and cfg.background is not None:
        raise BadInput(f"alpha={cfg.alpha} is of com without a background, found one")
    if cfg.compression is not None and cfg.output not in (None, "exr"):
        raise BadInput(f"compression={cfg.compression} is of EXR, found output={cfg.output}")
