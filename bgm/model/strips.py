"""The refiner for strips of a picture in which most patches are refined: plain convolutions.

Where most patches are refined, listing cells and multiplying windows costs more than convolving the
strip as a whole, as the reference does with a whole picture in its mode `full`. Strips keep the
memory small.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bgm.model.cells import CellGrid, Cells
from bgm.model.hidden import CoarseMaps

SHARE = 0.4  # of a strip's patches: with fewer the cells are faster (one core, 1080p)
CELLS = 8192  # patches in a strip: about 20 MB
LOWEST = 8  # rows of patches: a strip computes up to 3 half-size rows twice at either side


class StripRefiner(nn.Module):
    """All patches of some rows of one picture.

    convs: the refiner's four convolutions, BatchNorm folded into them; conv1 reads the base
    network's pha, residual, err, hid, and src and bgr.
    """

    def __init__(self, convs: list[nn.Conv2d]):
        super().__init__()
        self.kernel_size = convs[1].kernel_size[0]
        for i, conv in enumerate(convs):
            assert conv.bias is not None
            weight = conv.weight.detach().contiguous(memory_format=torch.channels_last)
            self.register_buffer(f"weight{i}", weight, persistent=False)
            self.register_buffer(f"bias{i}", conv.bias.detach().clone(), persistent=False)

    def forward(
        self,
        grid: CellGrid,
        src: Tensor,
        bgr: Tensor | Cells,
        coarse: CoarseMaps,
        b: int,
        top: int,
        bottom: int,
    ) -> Tensor:
        """pha and residual fgr (1, 4, 4 * (bottom - top), W) of rows of patches of picture b."""
        half_pad, full_pad = (3, 2) if self.kernel_size == 3 else (0, 0)
        around = 2 * grid.MARGIN  # half-size rows, and twice as many full-size ones, beyond a strip
        full = torch.cat([rows_of(x, b, top, bottom, grid) for x in (src, bgr)], 1)
        half = torch.cat([half_size(grid, coarse, b, top, bottom), F.avg_pool2d(full, 2)], 1)
        x = self.conv(0, padded(half, around - half_pad, half_pad)).relu_()
        x = self.conv(1, x).relu_()
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        x = torch.cat([x, padded(full, 2 * around - full_pad, full_pad)], 1)
        return self.conv(3, self.conv(2, x).relu_())

    def conv(self, i: int, x: Tensor) -> Tensor:
        weight, bias = getattr(self, f"weight{i}"), getattr(self, f"bias{i}")
        return F.conv2d(x.contiguous(memory_format=torch.channels_last), weight, bias)


def strips(ref: Tensor) -> list[tuple[int, int, int]]:
    """Picture, first row, last one (exclusive) of what to convolve whole of ref (B, 1, h, w)."""
    B, _, h, w = ref.shape
    height = max(LOWEST, CELLS // w)
    counts = ref[:, 0].sum(2).cumsum(1).cpu().tolist()
    found = []
    for b in range(B):
        for top in range(0, h, height):
            bottom = min(top + height, h)
            count = counts[b][bottom - 1] - (counts[b][top - 1] if top else 0)
            if count > SHARE * (bottom - top) * w:
                found.append((b, top, bottom))
    return found


def padded(x: Tensor, cut: int, pad: int) -> Tensor:
    """x (1, C, R, W) without its outer `cut` rows, and `pad` columns of zeros at either side."""
    return F.pad(x[:, :, cut : x.shape[2] - cut], [pad, pad])


def rows_of(picture: Tensor | Cells, b: int, top: int, bottom: int, grid: CellGrid) -> Tensor:
    """Rows of cells of a picture, (1, 3, 4 * (bottom - top + 4), W): two more on either side."""
    first, last = max(top - grid.MARGIN, 0), min(bottom + grid.MARGIN, grid.h)
    if isinstance(picture, Cells):
        x = picture.pixels.view(-1, grid.h, grid.w, 3, 4, 4)[b, first:last]
        x = x.permute(2, 0, 3, 1, 4).reshape(1, 3, 4 * (last - first), 4 * grid.w)
    else:
        x = picture[b : b + 1, :, 4 * first : 4 * last]
    missing = [4 * (first - top + grid.MARGIN), 4 * (bottom + grid.MARGIN - last)]
    return F.pad(x, [0, 0, *missing])


def half_size(grid: CellGrid, coarse: CoarseMaps, b: int, top: int, bottom: int) -> Tensor:
    """Coarse maps at half size, (1, 37, 2 * (bottom - top + 4), W/2), 0 outside of the picture."""
    _, Hc, Wc = coarse.shape
    taps = grid.rows[top : bottom + 2 * grid.MARGIN].reshape(-1, 2)
    shares = grid.row_shares[top : bottom + 2 * grid.MARGIN].reshape(-1, 2)
    inside = taps[shares.sum(1) > 0]
    first, last = int(inside.min()), int(inside.max()) + 1
    at = torch.arange((b * Hc + first) * Wc, (b * Hc + last) * Wc, device=taps.device)
    x = coarse.rows(at).view(1, last - first, Wc, -1).permute(0, 3, 1, 2)  # channels last
    x = F.interpolate(x, (last - first, 2 * grid.w), mode="bilinear", align_corners=False)
    low, high = ((taps - first).clamp(0, last - first - 1)).unbind(1)
    share = shares[:, :, None]
    return x.index_select(2, low) * share[:, 0] + x.index_select(2, high) * share[:, 1]
