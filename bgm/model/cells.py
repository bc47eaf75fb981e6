"""The grid of 4x4 cells that selected patches lie on, and what is read for a list of them."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.model.hidden import CoarseMaps
from bgm.ops import bilinear_taps


class Cells(NamedTuple):
    """A picture cut into cells once, for all frames that share it."""

    pixels: Tensor  # (B * H/4 * W/4, 48): 3 channels of 4x4 pixels


class Listed(NamedTuple):
    """Some cells of the tall grid."""

    at: Tensor  # (N,) their flat positions, in order
    number: Tensor  # of every position of the grid: which of the N is there, if any is


class CellGrid:
    """Where cells lie in a batch: in the tall grid its pictures stand one below the other.

    Every picture has a margin of two cells around it, so that neighbours are plain steps and no
    window needs a test for the border: cells of the margin are zero, as the reference pads.
    src: (B, C, H, W). coarse: (B, Hc, Wc, C), or what is read of it.
    """

    MARGIN = 2

    def __init__(self, src: Tensor, coarse: Tensor | CoarseMaps):
        self.coarse = coarse.shape[:3]
        Hc, Wc = coarse.shape[1:3]
        self.h, self.w = src.shape[2] // 4, src.shape[3] // 4
        self.wide = self.w + 2 * self.MARGIN
        like = coarse if isinstance(coarse, Tensor) else coarse.seen  # under autocast not as src is
        self.rows, self.row_shares = self.taps(self.h, Hc, like)
        self.columns, self.column_shares = self.taps(self.w, Wc, like)

    def taps(self, cells: int, source: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Of each cell's two half-size pixels along an axis (cells + 4, 2): two taps, two shares.

        Shares of the margin are 0.
        """
        low, high, share = bilinear_taps(2 * cells, source, like.dtype)
        around = (0, 0, 2 * self.MARGIN, 2 * self.MARGIN)
        index = F.pad(torch.stack([low, high], 1), around).to(like.device)
        shares = F.pad(torch.stack([1 - share, share], 1), around)
        return index.view(-1, 2, 2), shares.view(-1, 2, 2).to(like)

    def tall(self, ref: Tensor) -> Tensor:
        """ref (B, 1, h, w) on the tall grid: (B * (h + 4), w + 4), bool."""
        return F.pad(ref[:, 0] > 0, (self.MARGIN,) * 4).flatten(0, 1)

    def position(self, b: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Flat positions in the tall grid of cells (b, y, x)."""
        row = b * (self.h + 2 * self.MARGIN) + y + self.MARGIN
        return row * self.wide + x + self.MARGIN

    def around(self, own: Tensor, batch: int, ring: int) -> tuple[Listed, Listed]:
        """Cells within `ring`, and within twice that, of the flat positions `own`."""
        rows = batch * (self.h + 2 * self.MARGIN)
        mask = torch.zeros(rows * self.wide, dtype=torch.bool, device=own.device)
        mask = mask.index_fill(0, own, True).view(rows, self.wide)
        near = dilate(mask) if ring else mask
        far = dilate(near) if ring else mask
        return list_cells(near), list_cells(far)

    def place(self, at: Tensor, top: int) -> tuple[Tensor, Tensor, Tensor]:
        """Picture, row and column of flat positions in the tall grid from its row `top` on."""
        row = at.div(self.wide, rounding_mode="floor")
        x = at - row * self.wide
        row = row + top
        b = row.div(self.h + 2 * self.MARGIN, rounding_mode="floor")
        return b, row - b * (self.h + 2 * self.MARGIN) - self.MARGIN, x - self.MARGIN

    def half_size(self, coarse: Tensor | CoarseMaps, b: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Coarse maps at half size, in the cells (b, y, x): (4 * cells, C), 0 in the margin."""
        y, x = y + self.MARGIN, x + self.MARGIN
        B, Hc, Wc = self.coarse
        rows = self.rows[y] + (b * Hc)[:, None, None]
        index = rows[:, :, None, :, None] * Wc + self.columns[x][:, None, :, None]
        shares = self.row_shares[y][:, :, None, :, None] * self.column_shares[x][:, None, :, None]
        if isinstance(coarse, Tensor):
            table = coarse.flatten(0, 2)
        else:
            read = torch.zeros(B * Hc * Wc, dtype=torch.bool, device=index.device)
            read = read.index_fill_(0, index.flatten(), True)
            table, index = coarse.rows(read.nonzero()[:, 0]), numbered(read)[index]
        shares = shares.view(-1, 4)
        return F.embedding_bag(index.view(-1, 4), table, per_sample_weights=shares, mode="sum")

    def cells(self, picture: Tensor | Cells, b: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Pixels of a picture (B, 3, H, W) in the cells (b, y, x): (cells, 48), 0 in the margin."""
        outside = ((y < 0) | (y >= self.h) | (x < 0) | (x >= self.w)).nonzero()[:, 0]
        y, x = y.clamp(0, self.h - 1), x.clamp(0, self.w - 1)
        if isinstance(picture, Cells):
            found = picture.pixels.index_select(0, (b * self.h + y) * self.w + x)
        else:
            found = as_cells(picture)[b, y, x].flatten(1)
        return found.index_fill(0, outside, 0) if len(outside) else found


def as_cells(x: Tensor) -> Tensor:
    """(B, C, H, W) as a view (B, H/4, W/4, C, 4, 4)."""
    B, C, H, W = x.shape
    return x.view(B, C, H // 4, 4, W // 4, 4).permute(0, 2, 4, 1, 3, 5)


def cut(picture: Tensor) -> Cells:
    """All cells of a picture (B, 3, H, W)."""
    return Cells(as_cells(picture).reshape(-1, 48))


def dilate(mask: Tensor) -> Tensor:
    """mask (R, C), bool, and the eight neighbours of whatever it holds."""
    mask = mask | F.pad(mask, (1, -1)) | F.pad(mask, (-1, 1))
    return mask | F.pad(mask, (0, 0, 1, -1)) | F.pad(mask, (0, 0, -1, 1))


def list_cells(mask: Tensor) -> Listed:
    """The cells of a mask."""
    return Listed(mask.flatten().nonzero()[:, 0], numbered(mask))


def numbered(mask: Tensor) -> Tensor:
    """For every position of a mask, flat, how many True come before it: a True one's number."""
    return mask.flatten().cumsum(0) - 1


def half_pixels_around(ring: int, wide: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """A cell's window at half size, pixel by pixel: the step to its cell, which of the four.

    The window reaches `ring` pixels beyond the cell. wide: cells in a row of the grid.
    """
    at = torch.arange(-ring, 2 + ring, device=device)
    cell, half = at.div(2, rounding_mode="floor"), at % 2
    return (cell[:, None] * wide + cell).flatten(), (half[:, None] * 2 + half).flatten()


def half_rows_around(ring: int, wide: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """A patch's window at half size, two pixels at a time: the step to their cell, which row.

    The window reaches `ring` cells beyond the patch.
    """
    at = torch.arange(-2 * ring, 2 + 2 * ring, device=device)
    cell, half = at.div(2, rounding_mode="floor"), at % 2
    beside = torch.arange(-ring, 1 + ring, device=device)
    steps = cell[:, None] * wide + beside
    return steps.flatten(), half[:, None].expand(steps.shape).flatten()


def impulses(h: int, w: int, c: int) -> Tensor:
    """(h * w * c, c, h, w): every pixel and channel alone, channels innermost."""
    return torch.eye(h * w * c).view(-1, h, w, c).permute(0, 3, 1, 2)


def matrix(x: Tensor, weight: Tensor) -> Tensor:
    """What a convolution makes of impulses x: a matrix, its columns (y, x, channel)."""
    return F.conv2d(x.to(weight), weight).permute(0, 2, 3, 1).flatten(1)
