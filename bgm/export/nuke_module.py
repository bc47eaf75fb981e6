"""The network as Nuke's Inference node wants it: one tensor in, one out, attributes as knobs."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bgm.colour import srgb_code, srgb_light
from bgm.export.runtime_options import WithRuntimeOptions
from bgm.model import SELECTIONS, MattingRefine
from bgm.ops import repeat_pixels, resize
from bgm.types import Refined

MODES = list(SELECTIONS)  # what the knob `selection` counts
OUTPUTS = ("foreground", "shot", "alpha", "error", "refined")  # what the knob `output` counts
SMALLEST = 64  # pixels a side: what prediction pads small pictures to


class NukeMatte(nn.Module):
    """Six channels (B, 6, H, W: src, bgr) of any size to RGBA (B, 4, H, W); net is changed.

    Attributes are knobs, numbers all of them, for CatFileCreator binds a knob to the attribute of
    its name: `scale` (coarse size / full size), `selection` (0 sampling, 1 thresholding, 2 full),
    `sample_pixels`, `threshold`, `linear` (1: channels come and go in linear light, 0: in sRGB),
    `premultiplied` (1, or 0 for straight alpha) and `output`, a number of `OUTPUTS`.
    """

    smallest: torch.jit.Final[int] = SMALLEST
    outputs: torch.jit.Final[int] = len(OUTPUTS)

    def __init__(self, net: MattingRefine):
        super().__init__()
        self.net = WithRuntimeOptions(net)
        self.selections = MODES
        self.scale = self.net.backbone_scale
        self.selection = MODES.index(self.net.refine_mode)
        self.sample_pixels = int(self.net.refine_sample_pixels)
        self.threshold = float(self.net.refine_threshold)
        self.linear = 1
        self.premultiplied = 1
        self.output = 0

    def forward(self, x: Tensor) -> Tensor:
        """Raises ValueError for another number of channels, no pixels, and knobs out of range."""
        return self.picture(x, self.refine(x))

    @torch.jit.export
    def refine(self, x: Tensor) -> Refined:
        """What the network says of the padded picture, in the type of its weights."""
        if x.ndim != 4 or x.shape[1] != 6 or x.numel() == 0:
            raise ValueError(f"input {list(x.shape)}: expected (1, 6, H, W), src and bgr, RGB each")
        if not x.is_floating_point():
            raise ValueError("input of whole numbers: expected floats, white is 1")
        self.check_knobs()
        self.net.backbone_scale = self.scale
        self.net.refine_mode = self.selections[self.selection]
        self.net.refine_sample_pixels = self.sample_pixels
        self.net.refine_threshold = self.threshold
        H, W = x.shape[2], x.shape[3]
        below = (max(H, self.smallest) + 3) // 4 * 4 - H
        right = (max(W, self.smallest) + 3) // 4 * 4 - W
        # A pixel that is no number would make the whole matte none: the ASPP takes a mean.
        x = torch.nan_to_num(x.float(), 0.0).clamp(0.0, 1.0)
        if self.linear != 0:
            x = srgb_code(x)
        if below > 0 or right > 0:
            x = F.pad(x, [0, right, 0, below], mode="replicate")
        x = x.to(self.net.net.refiner.conv1.weight.dtype)
        return self.net(x[:, 0:3], x[:, 3:6])

    @torch.jit.export
    def check_knobs(self) -> None:
        """Raise ValueError, by the knob's own name, for what no knob can mean."""
        for name, value, most in [
            ("selection", self.selection, len(self.selections) - 1),
            ("linear", self.linear, 1),
            ("premultiplied", self.premultiplied, 1),
            ("output", self.output, self.outputs - 1),
        ]:
            if value < 0 or value > most:
                raise ValueError(f"{name} {value}: expected a whole number from 0 to {most}")
        if not (self.scale * self.smallest >= 1.0 and self.scale <= 0.5):
            raise ValueError(f"scale {self.scale}: expected 1/{self.smallest} to 1/2")
        if self.sample_pixels < 16:
            raise ValueError(f"sample_pixels {self.sample_pixels}: expected 16 (one patch) or more")
        if not (self.threshold >= 0.0 and self.threshold <= 1.0):
            raise ValueError(f"threshold {self.threshold}: expected a number from 0 to 1")

    @torch.jit.export
    def picture(self, x: Tensor, refined: Refined) -> Tensor:
        """RGBA (B, 4, H, W) of what `refine` found in x, of the type of x.

        What the shot has above 1 is given back in the proportion of alpha: the network sees 0 to 1.
        """
        H, W = x.shape[2], x.shape[3]
        shot = torch.nan_to_num(x[:, 0:3].float(), 0.0)
        pha = refined.pha[:, :, :H, :W].float()
        if self.output == 0:
            fgr = refined.fgr[:, :, :H, :W].float()
            if self.linear != 0:
                fgr = srgb_light(fgr)
            colour = fgr + pha * (shot - shot.clamp(max=1.0))
        elif self.output == 1:
            colour = shot
        elif self.output == 2:
            colour = torch.ones_like(shot)
        elif self.output == 3:
            size = [refined.pha.shape[2], refined.pha.shape[3]]
            return opaque(resize(refined.err_sm.float(), size)[:, :, :H, :W], x)
        else:
            size = [refined.pha.shape[2], refined.pha.shape[3]]
            return opaque(repeat_pixels(refined.ref_sm.float(), size)[:, :, :H, :W], x)
        if self.premultiplied != 0:
            colour = colour * pha
        rgba = torch.cat([colour, pha], 1)
        if x.dtype == torch.float16:  # of a shot with infinite numbers
            rgba = rgba.clamp(-65504.0, 65504.0)
        return rgba.to(x.dtype)


def opaque(x: Tensor, like: Tensor) -> Tensor:
    """One channel (B, 1, H, W) as RGBA with alpha 1, of the type of another tensor."""
    return torch.cat([x, x, x, torch.ones_like(x)], 1).to(like.dtype)
