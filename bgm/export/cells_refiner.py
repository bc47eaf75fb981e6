"""The refiner as a graph for runtimes: shared cells, row gathers and matrix products."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bgm.model import PatchRefiner, ScatterNdReplace
from bgm.model.cells import half_pixels_around, half_rows_around
from bgm.model.sparse import SparseRefiner, sliding
from bgm.ops import resize

MARGIN = 2  # cells around every picture, see `bgm.model.cells.CellGrid`


class SharedCells(nn.Module):
    """In the place of a crop: no window is cut, neighbouring patches share cells."""


class CellsRefiner(SparseRefiner):
    """`SparseRefiner` with the inputs and answers of `PatchRefiner`, in one pass and out of place.

    refiner: in evaluation mode. What it gathers are rows of a matrix, which runtimes copy as they
    are: four pixels of a picture, a half-size pixel's channels. Its number of cells depends on the
    picture (NonZero).
    """

    def __init__(self, refiner: PatchRefiner):
        super().__init__(refiner)
        self.crop, self.replace = SharedCells(), ScatterNdReplace()

    def forward(  # type: ignore[override]
        self, src: Tensor, bgr: Tensor, pha: Tensor, fgr: Tensor, err: Tensor, hid: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `PatchRefiner.forward`."""
        B, _, H, W = src.shape
        h, w, wide, ring = H // 4, W // 4, W // 4 + 2 * MARGIN, self.ring
        ref = self.select(resize(err, [h, w])).ref
        own = F.pad(ref[:, 0], (MARGIN,) * 4)
        near = F.max_pool2d(own, 3, 1, 1) if ring else own
        far = F.max_pool2d(own, 5, 1, 2) if ring else own
        far_at, far_number = list_cells(far)
        near_at, near_number = list_cells(near)
        own_at, _ = list_cells(own)
        b, y, x = place(far_at, h, w)
        maps = torch.cat([pha, fgr, err, hid], 1)
        half = self.half_size(maps, b, y, x, h, w)
        inside = ((y >= 0) & (y < h) & (x >= 0) & (x < w)).to(src.dtype)[:, None]
        y, x = (torch.clamp(at, 0, most - 1) for at, most in ((y, h), (x, w)))
        at = rows_of(b, y, x, 3, h, w)
        cells = [p.reshape(-1, 4).index_select(0, at).view(-1, 48) for p in (src, bgr)]
        rgb = torch.cat(cells, 1) * inside
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
        b, y, x = place(own_at, h, w)
        out = []
        for coarse, patches in ((pha, answer[:, :16]), (fgr, answer[:, 16:])):
            at = rows_of(b, y, x, coarse.shape[1], h, w)
            full = resize(coarse, [H, W]).view(-1, 4)
            full = full.index_put((at,), patches.reshape(-1, 4).to(coarse.dtype))
            out.append(full.view(B, coarse.shape[1], H, W))
        return out[0], out[1], ref

    def half_size(self, maps: Tensor, b: Tensor, y: Tensor, x: Tensor, h: int, w: int) -> Tensor:
        """Coarse maps (B, 37, Hc, Wc) at half size in cells (b, y, x): (4 * cells, 37)."""
        hc, wc = maps.shape[2], maps.shape[3]
        table = maps.permute(0, 2, 3, 1).reshape(-1, 37)
        low, high, share, alive = taps(h, hc, maps)
        y, x = y + MARGIN, x + MARGIN
        rows = [(t[y] + (b * hc)[:, None])[:, :, None] * wc for t in (low, high)]
        heights = [t[y][:, :, None] for t in (alive * (1 - share), alive * share)]
        low, high, share, alive = taps(w, wc, maps)
        columns = [t[x][:, None] for t in (low, high)]
        widths = [t[x][:, None] for t in (alive * (1 - share), alive * share)]
        found = []
        for row, height in zip(rows, heights, strict=True):
            for column, width in zip(columns, widths, strict=True):
                taken = table.index_select(0, (row + column).flatten())
                found.append(taken * (height * width).view(-1, 1))
        return found[0] + found[1] + found[2] + found[3]


def taps(cells: int, source: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each cell's two half-size pixels along an axis (cells + 4, 2): taps, share, inside.

    Resizing a ramp of numbers tells where each pixel lies, whatever the sizes: graphs keep no
    arithmetic on them.
    """
    ramp = torch.arange(source, device=like.device).to(torch.float32)
    at = F.interpolate(ramp.view(1, 1, source, 1), size=[2 * cells, 1], mode="bilinear")
    low = at.floor()
    alive = F.pad(torch.ones_like(at), (0, 0, 2 * MARGIN, 2 * MARGIN)).view(-1, 2)
    low, share = (F.pad(t, (0, 0, 2 * MARGIN, 2 * MARGIN)).view(-1, 2) for t in (low, at - low))
    high = torch.minimum(low + 1, ramp[-1])
    return low.long(), high.long(), share.to(like.dtype), alive.to(like.dtype)


def list_cells(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of what a mask (B, h + 4, w + 4) in {0, 1} holds, and their numbers by position."""
    flat = mask.flatten() > 0
    return flat.nonzero()[:, 0], flat.long().cumsum(0) - 1


def place(at: Tensor, h: int, w: int) -> tuple[Tensor, Tensor, Tensor]:
    """Picture, row and column of flat positions in the grid with margins."""
    row = at // (w + 2 * MARGIN)
    b = row // (h + 2 * MARGIN)
    return b, row - b * (h + 2 * MARGIN) - MARGIN, at - row * (w + 2 * MARGIN) - MARGIN


def rows_of(b: Tensor, y: Tensor, x: Tensor, channels: int, h: int, w: int) -> Tensor:
    """Rows of the cells (b, y, x) in a picture (B, C, H, W) seen as (., 4): channel by channel."""
    c = torch.arange(channels, device=b.device)[:, None]
    r = torch.arange(4, device=b.device)
    lines = (b[:, None, None] * channels + c) * (4 * h) + 4 * y[:, None, None] + r
    return (lines * w + x[:, None, None]).flatten()
