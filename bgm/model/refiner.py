"""The patch refiner: four convolutions, applied only where the predicted error is large."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bgm.model.patches import Sampling, ScatterNdReplace, UnfoldCrop
from bgm.ops import resize


class PatchRefiner(nn.Module):
    """Refine 4x4 patches in two steps, at half and at full size; Lin et al. 2021, section 3.3.

    kernel_size: 3 or 1. select, crop, replace: parameterless modules of `bgm.model.patches`.
    """

    def __init__(
        self,
        kernel_size: int = 3,
        select: nn.Module | None = None,
        crop: nn.Module | None = None,
        replace: nn.Module | None = None,
    ):
        super().__init__()
        if kernel_size not in (1, 3):
            raise ValueError(f"kernel_size {kernel_size} must be 1 or 3")
        self.select = select or Sampling()
        self.crop = crop or UnfoldCrop()
        self.replace = replace or ScatterNdReplace()
        # Two unpadded 3x3 convolutions eat 2 pixels a side. At full size 4x4 needs 2 around it; at
        # half size 2x2 needs 3, of which 1 is left to become those 2 after the upsampling.
        self.half_pad = 3 if kernel_size == 3 else 0
        self.full_pad = 2 if kernel_size == 3 else 0
        self.conv1 = nn.Conv2d(42, 24, kernel_size, bias=False)
        self.bn1 = nn.BatchNorm2d(24)
        self.conv2 = nn.Conv2d(24, 16, kernel_size, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.conv3 = nn.Conv2d(22, 12, kernel_size, bias=False)
        self.bn3 = nn.BatchNorm2d(12)
        self.conv4 = nn.Conv2d(12, 4, kernel_size, bias=True)
        self.relu = nn.ReLU()

    def forward(
        self, src: Tensor, bgr: Tensor, pha: Tensor, fgr: Tensor, err: Tensor, hid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """src, bgr (B, 3, H, W) and coarse pha, fgr (residual), err, hid (B, ., Hc, Wc).

        Returns pha (B, 1, H, W) and fgr (residual, B, 3, H, W), not clamped, and ref
        (B, 1, H/4, W/4), 1 where a patch was refined.
        """
        H, W = src.shape[2], src.shape[3]
        patches = self.select(resize(err, [H // 4, W // 4]))
        full = torch.cat([src, bgr], 1)
        half = torch.cat(
            [
                resize(torch.cat([hid, pha, fgr], 1), [H // 2, W // 2]),
                resize(full, [H // 2, W // 2]),
            ],
            dim=1,
        )
        coarse = resize(torch.cat([pha, fgr], 1), [H, W])
        y = self.convolve(
            self.crop(half, patches.index, 2, self.half_pad),
            self.crop(full, patches.index, 4, self.full_pad),
        ).to(coarse.dtype)
        keep = patches.keep[:, None, None, None]
        y = torch.where(keep, y, self.crop(coarse, patches.index, 4, 0))
        x = self.replace(coarse, y, patches.index)
        return x[:, 0:1], x[:, 1:4], patches.ref

    def convolve(self, half: Tensor, full: Tensor) -> Tensor:
        """Windows (P, 42, 8, 8) and (P, 6, 8, 8) (kernel 1: of 2 and 4) -> patches (P, 4, 4, 4)."""
        x = self.relu(self.bn1(self.conv1(half)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = F.interpolate(x, size=full.shape[2:], mode="nearest")
        x = self.relu(self.bn3(self.conv3(torch.cat([x, full], 1))))
        return self.conv4(x)
