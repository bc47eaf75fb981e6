"""The patch refiner: four convolutions, applied only where the predicted error is large."""

import torch
from torch import Tensor, nn

from bgm.errors import BadInput
from bgm.model.cells import CellGrid, half_pixels_around, half_rows_around, impulses, matrix
from bgm.model.patches import Sampling, ScatterNdReplace
from bgm.ops import repeat_pixels, resize

CHUNK = 16_384  # patches at a time in evaluation: about 250 MB


class PatchRefiner(nn.Module):
    """Refine 4x4 patches in two steps, at half and at full size; Lin et al. 2021, section 3.3.

    kernel_size: 3 or 1. select, crop, replace: parameterless modules of `bgm.model.patches`.
    Without a crop, which exported files need, neighbouring patches share what they have in common:
    less time and memory for the same picture.
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
            raise BadInput(f"kernel_size is {kernel_size}, expected 1 or 3")
        self.select = select or Sampling()
        self.crop = crop
        self.replace = replace or ScatterNdReplace()
        self.kernel_size = kernel_size
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
        maps = torch.cat([hid, pha, fgr], 1)
        coarse = resize(torch.cat([pha, fgr], 1), [H, W])
        if self.crop is None:
            y = self.on_shared_cells(src, bgr, maps, patches.index, patches.keep)
            x = self.replace(coarse, y.to(coarse.dtype), patches.index[patches.keep])
            return x[:, 0:1], x[:, 1:4], patches.ref
        full = torch.cat([src, bgr], 1)
        half = torch.cat([resize(maps, [H // 2, W // 2]), resize(full, [H // 2, W // 2])], 1)
        y = self.convolve(
            self.conv1(self.crop(half, patches.index, 2, self.half_pad)),
            self.crop(full, patches.index, 4, self.full_pad),
        ).to(coarse.dtype)
        keep = patches.keep[:, None, None, None]
        y = torch.where(keep, y, self.crop(coarse, patches.index, 4, 0))
        x = self.replace(coarse, y, patches.index)
        return x[:, 0:1], x[:, 1:4], patches.ref

    def convolve(self, x: Tensor, full: Tensor) -> Tensor:
        """Windows of conv1 (P, 24, 6, 6) and of src and bgr (P, 6, 8, 8) -> patches (P, 4, 4, 4).

        With kernel size 1 the windows are 2 and 4 pixels wide.
        """
        x = self.relu(self.bn1(x))
        x = self.relu(self.bn2(self.conv2(x)))
        x = repeat_pixels(x, [full.shape[2], full.shape[3]])
        x = self.relu(self.bn3(self.conv3(torch.cat([x, full], 1))))
        return self.conv4(x)

    @torch.jit.unused
    def on_shared_cells(
        self, src: Tensor, bgr: Tensor, maps: Tensor, index: Tensor, keep: Tensor
    ) -> Tensor:
        """The patches (P, 4, 4, 4) of index[keep]; in training all of index go through BatchNorm.

        maps: hid, pha, fgr (B, 36, Hc, Wc).
        """
        grid = CellGrid(src, maps := maps.permute(0, 2, 3, 1).contiguous())
        if self.training:
            return self.convolve(*self.windows(grid, src, bgr, maps, index))[keep]
        index = index[keep]
        if len(index) == 0:
            return maps.new_zeros(0, 4, 4, 4)
        parts = index.split(CHUNK)
        return torch.cat([self.convolve(*self.windows(grid, src, bgr, maps, i)) for i in parts])

    def windows(
        self, grid: CellGrid, src: Tensor, bgr: Tensor, maps: Tensor, index: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What `convolve` takes, conv1 computed once for every pixel that windows share."""
        ring, side = self.full_pad // 2, 2 + self.full_pad
        own_at = grid.position(*index.unbind(1))
        near, far = grid.around(own_at, src.shape[0], ring)
        places = grid.place(far.at, 0)
        half = grid.half_size(maps, *places)
        rgb = torch.cat([grid.cells(src, *places), grid.cells(bgr, *places)], 1)
        # To the four half-size pixels of each cell: (4 * cells, 6 * 2 * 2).
        rgb = rgb.view(-1, 6, 2, 2, 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(-1, 24)
        halved = rgb.view(-1, 6, 4).mean(2)
        step, pixel = half_pixels_around(ring, grid.wide, src.device)
        at = (far.number[near.at[:, None] + step] * 4 + pixel).flatten()
        weight = self.conv1.weight
        features = torch.addmm(
            half.index_select(0, at).view(len(near.at), -1)
            @ matrix(impulses(side, side, 36), weight[:, :36]),
            halved.index_select(0, at).view(len(near.at), -1),
            matrix(impulses(side, side, 6), weight[:, 36:]),
        ).view(-1, 48)
        if self.conv1.bias is not None:  # of a BatchNorm that was folded into it
            features = features + self.conv1.bias.repeat(2)
        row_step, row = half_rows_around(ring, grid.wide, src.device)
        rows = (near.number[own_at[:, None] + row_step] * 2 + row).flatten()
        x = features.index_select(0, rows).view(len(index), 2 + 4 * ring, 2 + 4 * ring, 24)
        at = (far.number[own_at[:, None] + step] * 4 + pixel).flatten()
        y = rgb.index_select(0, at).view(len(index), side, side, 6, 2, 2)
        y = y.permute(0, 1, 4, 2, 5, 3).reshape(len(index), 2 * side, 2 * side, 6)
        return x.permute(0, 3, 1, 2), y.permute(0, 3, 1, 2)
