"""The refiner as a graph for runtimes: shared cells, row gathers and matrix products."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bgm.model import PatchRefiner, ScatterNdReplace
from bgm.model.cells import CellGrid, half_pixels_around, half_rows_around
from bgm.model.sparse import RefinerMatrices, folded_convolutions, sliding
from bgm.ops import resize


class SharedCells(nn.Module):
    """In the place of a crop: no window is cut, neighbouring patches share cells."""


class CellsRefiner(RefinerMatrices):
    """`SparseRefiner` with the inputs and answers of `PatchRefiner`, in one pass and out of place.

    refiner: in evaluation mode. It has no strips: cells everywhere, however many there are. What it
    gathers are rows of a matrix, which runtimes copy as they are: four pixels of a picture, a
    half-size pixel's channels. Its number of cells depends on the picture (NonZero). Written for
    torch.export and, which takes no loop over tuples, torch.jit.
    """

    def __init__(self, refiner: PatchRefiner):
        super().__init__(refiner, folded_convolutions(refiner))
        self.crop, self.replace = SharedCells(), ScatterNdReplace()
        self.margin = CellGrid.MARGIN  # cells around every picture

    def forward(
        self, src: Tensor, bgr: Tensor, pha: Tensor, fgr: Tensor, err: Tensor, hid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `PatchRefiner.forward`."""
        B, H, W = src.shape[0], src.shape[2], src.shape[3]
        h, w, ring, margin = H // 4, W // 4, self.ring, self.margin
        wide = w + 2 * margin
        ref = self.select(resize(err, [h, w])).ref
        own = F.pad(ref[:, 0], [margin, margin, margin, margin])
        near = F.max_pool2d(own, 3, 1, 1) if ring > 0 else own
        far = F.max_pool2d(own, 5, 1, 2) if ring > 0 else own
        far_at, far_number = list_cells(far)
        near_at, near_number = list_cells(near)
        own_at = list_cells(own)[0]
        b, y, x = place(far_at, h, w, margin)
        maps = torch.cat([pha, fgr, err, hid], 1)
        half = half_size(maps, b, y + margin, x + margin, h, w, margin)
        inside = ((y >= 0) & (y < h) & (x >= 0) & (x < w)).to(src.dtype)[:, None]
        y, x = torch.clamp(y, 0, h - 1), torch.clamp(x, 0, w - 1)
        at = rows_of(b, y, x, 3, h, w)
        shot = src.reshape(-1, 4).index_select(0, at).view(-1, 48)
        plate = bgr.reshape(-1, 4).index_select(0, at).view(-1, 48)
        rgb = torch.cat([shot, plate], 1) * inside
        halved = torch.mm(rgb, self.halved).view(-1, 6)
        opened = torch.mm(rgb, self.opened).view(-1, 24)
        side = self.side
        step, pixel = half_pixels_around(ring, wide, src.device)
        rows = (far_number[near_at[:, None] + step] * 4 + pixel).flatten()
        one = torch.addmm(
            self.first_bias, half.index_select(0, rows).view(-1, side * side * 37), self.first
        )
        one = (
            one + torch.mm(halved.index_select(0, rows).view(-1, side * side * 6), self.first_rgb)
        ).relu()
        step_row, row = half_rows_around(ring, wide, src.device)
        rows = (near_number[own_at[:, None] + step_row] * 2 + row).flatten()
        wide_side = 2 + 4 * ring
        x2 = one.view(-1, 48).index_select(0, rows).view(-1, wide_side * wide_side * 24)
        x2 = sliding(x2, self.second, side, wide_side, self.second_bias).relu()
        rows = (far_number[own_at[:, None] + step] * 4 + pixel).flatten()
        x3 = opened.index_select(0, rows).view(-1, side * side * 24)
        x3 = sliding(x3, self.third_rgb, 2 + ring, side, self.third_bias)
        x3 = (x3 + sliding(x2, self.third, 2 + ring, side)).relu()
        answer = torch.addmm(self.fourth_bias, x3, self.fourth)
        b, y, x = place(own_at, h, w, margin)
        at = rows_of(b, y, x, 1, h, w)
        full_pha = resize(pha, [H, W]).view(-1, 4)
        full_pha = full_pha.index_put((at,), answer[:, :16].reshape(-1, 4).to(pha.dtype))
        at = rows_of(b, y, x, 3, h, w)
        full_fgr = resize(fgr, [H, W]).view(-1, 4)
        full_fgr = full_fgr.index_put((at,), answer[:, 16:].reshape(-1, 4).to(fgr.dtype))
        return full_pha.view(B, 1, H, W), full_fgr.view(B, 3, H, W), ref


def half_size(maps: Tensor, b: Tensor, y: Tensor, x: Tensor, h: int, w: int, margin: int) -> Tensor:
    """Coarse maps (B, 37, Hc, Wc) at half size in cells (b, y, x), counted with the margin.

    Returns (4 * cells, 37).
    """
    hc, wc = maps.shape[2], maps.shape[3]
    table = maps.permute(0, 2, 3, 1).reshape(-1, 37)
    top, bottom, share, alive = taps(h, hc, margin, maps)
    first = (b * hc)[:, None]
    up, down = (top[y] + first)[:, :, None] * wc, (bottom[y] + first)[:, :, None] * wc
    of_up, of_down = (alive * (1 - share))[y][:, :, None], (alive * share)[y][:, :, None]
    left, right, share, alive = taps(w, wc, margin, maps)
    left, right = left[x][:, None], right[x][:, None]
    of_left, of_right = (alive * (1 - share))[x][:, None], (alive * share)[x][:, None]
    return (
        table.index_select(0, (up + left).flatten()) * (of_up * of_left).view(-1, 1)
        + table.index_select(0, (up + right).flatten()) * (of_up * of_right).view(-1, 1)
        + table.index_select(0, (down + left).flatten()) * (of_down * of_left).view(-1, 1)
        + table.index_select(0, (down + right).flatten()) * (of_down * of_right).view(-1, 1)
    )


def taps(
    cells: int, source: int, margin: int, like: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each cell's two half-size pixels along an axis (cells + 4, 2): taps, share, inside.

    Resizing a ramp of numbers tells where each pixel lies, whatever the sizes: graphs keep no
    arithmetic on them.
    """
    ramp = torch.arange(source, device=like.device).to(torch.float32)
    at = resize(ramp.view(1, 1, source, 1), [2 * cells, 1]).flatten(0, 2)
    low = at.floor()
    around = [0, 0, 2 * margin, 2 * margin]
    alive = F.pad(torch.ones_like(at), around).view(-1, 2)
    share = F.pad(at - low, around).view(-1, 2)
    low = F.pad(low, around).view(-1, 2)
    high = torch.minimum(low + 1, ramp[-1])
    return low.long(), high.long(), share.to(like.dtype), alive.to(like.dtype)


def list_cells(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of what a mask (B, h + 4, w + 4) in {0, 1} holds, and their numbers by position."""
    flat = mask.flatten() > 0
    return flat.nonzero()[:, 0], flat.long().cumsum(0) - 1


def place(at: Tensor, h: int, w: int, margin: int) -> tuple[Tensor, Tensor, Tensor]:
    """Picture, row and column of flat positions in the grid with margins."""
    row = at // (w + 2 * margin)
    b = row // (h + 2 * margin)
    return b, row - b * (h + 2 * margin) - margin, at - row * (w + 2 * margin) - margin


def rows_of(b: Tensor, y: Tensor, x: Tensor, channels: int, h: int, w: int) -> Tensor:
    """Rows of the cells (b, y, x) in a picture (B, C, H, W) seen as (., 4): channel by channel."""
    c = torch.arange(channels, device=b.device)[:, None]
    r = torch.arange(4, device=b.device)
    lines = (b[:, None, None] * channels + c) * (4 * h) + 4 * y[:, None, None] + r
    return (lines * w + x[:, None, None]).flatten()
