"""Pictures that an int8 export is calibrated with, from any data config."""

from collections.abc import Iterator

from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor, nn

from bgm.data.datamodule import finished_scenes
from bgm.errors import BadInput
from bgm.export import Target
from bgm.export.shapes import Shape
from bgm.model import MattingBase
from bgm.ops import pad_to, resize


def calibrated(target: Target, net: nn.Module, cfg: DictConfig) -> Target:
    """target with the pairs of cfg.data to calibrate net with; unchanged unless it writes int8.

    Raises BadInput when int8 is asked for without data, or data without int8.
    """
    if target.precision != "int8":
        if cfg.get("data") is not None:
            raise BadInput(f"data=... calibrates precision=int8, found {target.precision}")
        return target
    if cfg.get("data") is None:
        raise BadInput("precision=int8 needs pictures to calibrate with: name a data=... config")
    is_base = target.part == "base" or isinstance(net, MattingBase)
    scale = getattr(net, "backbone_scale", 0.25) if is_base else 1.0
    target.calibration = Pairs(cfg, target.shape, scale)
    return target


class Pairs:
    """src and bgr (B, 3, H, W) of the first cfg.calibration.scenes scenes of a data config.

    shape: the one that the file takes, to which they are resized; None keeps their own size times
    scale (for a base network alone), padded to multiples of 4.
    """

    def __init__(self, cfg: DictConfig, shape: Shape | None, scale: float):
        self.cfg, self.shape, self.scale = cfg, shape, scale

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        scenes = finished_scenes(instantiate(self.cfg.data), self.cfg.calibration.split)
        for index in range(min(self.cfg.calibration.scenes, len(scenes))):
            scene = scenes[index]
            yield self.fitted(scene.src), self.fitted(scene.bgr)

    def fitted(self, x: Tensor) -> Tensor:
        """(3, H, W) at the size and batch that the file takes."""
        if self.shape is not None:
            x = resize(x[None], [self.shape.height, self.shape.width])
            return x.expand(self.shape.batch, -1, -1, -1)
        small = [round(n * self.scale) for n in x.shape[1:]]
        return pad_to(x[None] if self.scale == 1 else resize(x[None], small))
