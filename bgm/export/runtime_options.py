"""The reference's attributes on a TorchScript program, settable after loading and obeyed."""

from torch import Tensor, nn

from bgm.model import SELECTIONS, Full, MattingRefine, Sampling, Thresholding
from bgm.model.patches import Patches
from bgm.types import Refined

MODES = {kind: name for name, kind in SELECTIONS.items()}
OPTIONS = ("backbone_scale", "refine_mode", "refine_sample_pixels", "refine_threshold")


class AnySelect(nn.Module):
    """Whichever selection `mode` names; strings are this format's custom, see BackgroundMattingV2.

    Numbers that the network's own selection does not have are the paper's.
    """

    def __init__(self, select: nn.Module):
        super().__init__()
        self.mode = MODES[type(select)]
        self.sampling = select if isinstance(select, Sampling) else Sampling()
        self.thresholding = select if isinstance(select, Thresholding) else Thresholding()
        self.full = Full()

    def forward(self, err: Tensor) -> Patches:
        if self.mode == "sampling":
            return self.sampling(err)
        if self.mode == "thresholding":
            return self.thresholding(err)
        if self.mode != "full":
            raise ValueError(f"refine_mode {self.mode} is none of sampling, thresholding, full")
        return self.full(err)


class WithRuntimeOptions(nn.Module):
    """A refined network with the reference's four attributes; net (a copy of ours) is changed."""

    def __init__(self, net: MattingRefine):
        super().__init__()
        select = AnySelect(net.refiner.select)
        net.refiner.select = select
        self.net = net
        self.backbone_scale = float(net.backbone_scale)
        self.refine_mode = select.mode
        self.refine_sample_pixels = select.sampling.sample_pixels
        self.refine_threshold = select.thresholding.threshold

    def forward(self, src: Tensor, bgr: Tensor) -> Refined:
        if self.refine_sample_pixels < 16:
            raise ValueError(f"refine_sample_pixels {self.refine_sample_pixels} is below 16")
        self.net.scale_num, self.net.scale_den = ratio(self.backbone_scale)
        # torch.jit reads this line: nothing may follow its `type: ignore`. The selection is any.
        self.net.refiner.select.mode = self.refine_mode  # type: ignore[assignment]
        self.net.refiner.select.sampling.sample_pixels = self.refine_sample_pixels  # type: ignore[union-attr]
        self.net.refiner.select.thresholding.threshold = self.refine_threshold  # type: ignore[union-attr]
        return self.net(src, bgr)


def ratio(scale: float) -> tuple[int, int]:
    """scale as a fraction with the least denominator up to 1024 that comes within 1e-6 of it."""
    if not (scale > 0.0 and scale <= 0.5):
        raise ValueError(f"backbone_scale {scale} must lie in (0, 1/2]")
    for denominator in range(1, 1025):
        numerator = int(scale * denominator + 0.5)
        if abs(numerator - scale * denominator) < 1e-6 * denominator and numerator > 0:
            return numerator, denominator
    return int(scale * 1024 + 0.5), 1024
