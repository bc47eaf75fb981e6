"""A model file that is opened once and whose knobs turn from picture to picture."""

from typing import NamedTuple

from torch import nn

from bgm.export import target_of
from bgm.infer.models import AUTO, Model, choose_device, model_of, open_model
from bgm.model import SELECTIONS, OptimizedRefine, choose_select
from bgm.model.selection import check_scale
from bgm.weights import load

OWN = "own"  # the network's own selection of patches
CHOICES = (OWN, *SELECTIONS)


class Knobs(NamedTuple):
    """What the page lets one turn; words and ranges as in conf/predict.yaml."""

    scale: float | str = AUTO  # backbone_scale of a refined network, base_scale of a base network
    select: str = OWN
    sample_pixels: int = 80_000  # of select=sampling
    threshold: float = 0.1  # of select=thresholding
    align: bool | str = AUTO
    exposure: bool = False
    fit: bool = False
    despeckle: float = 0
    fgr: str = AUTO
    background: str = "#00b140"  # of the composite: a colour or a picture

    def selection(self) -> nn.Module | None:
        """The selection of patches; None is the network's own."""
        return choose_select(
            None if self.select == OWN else self.select,
            int(self.sample_pixels) if self.select == "sampling" else None,
            self.threshold if self.select == "thresholding" else None,
        )


class LiveModel:
    """Opens a checkpoint once; an exported file anew when one of the knobs that it has changes.

    Raises BadInput as `open_model` does. For one caller at a time.
    """

    def __init__(self, path: str, device: str = AUTO):
        self.path, self.device = path, device
        self._net: nn.Module | None = None
        self._last: tuple[tuple, Model] | None = None
        if target_of(path) is None:
            self._net = load(path, optimize=True).to(choose_device(device))
        else:
            self.turned(Knobs())

    @property
    def refined(self) -> bool:
        """Whether patches can be selected, as far as is known before it is tried."""
        return self._net is None or isinstance(self._net, OptimizedRefine)

    def turned(self, knobs: Knobs) -> Model:
        """The model with these knobs; BadInput for those that it does not have."""
        select, scale = knobs.selection(), knobs.scale
        if self._net is not None:
            name, most = ("backbone_scale", 0.5) if self.refined else ("base_scale", 1.0)
            check_scale(name, None if scale == AUTO else scale, most)
            if self.refined:
                return model_of(self._net, self.path, scale, None, select)
            base_scale = None if scale == AUTO else float(scale)
            return model_of(self._net, self.path, AUTO, base_scale, select)
        wanted = (scale, knobs.select, knobs.sample_pixels, knobs.threshold)
        if self._last is None or self._last[0] != wanted:
            opened = open_model(self.path, device=self.device, backbone_scale=scale, select=select)
            self._last = (wanted, opened)
        return self._last[1]
