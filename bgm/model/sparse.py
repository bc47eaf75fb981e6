"""The refiner for inference: what neighbouring patches share is computed once.

Cut apart, the windows of neighbouring patches overlap, and conv1 computes most pixels nine times.
Here the cells (4x4 pixels, 2x2 at half size) that the selected patches need are listed once and
read straight from the coarse maps and the full-size pictures. The convolutions are matrix products
over windows whose rows lie one after the other in memory.
"""

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bgm.model.cells import (
    CellGrid,
    Cells,
    as_cells,
    dilate,
    half_pixels_around,
    half_rows_around,
    impulses,
    matrix,
    numbered,
)
from bgm.model.hidden import CoarseMaps
from bgm.model.refiner import PatchRefiner
from bgm.model.strips import StripRefiner, strips
from bgm.ops import repeat_pixels, resize

CHUNK = 8192  # patches that share one list of cells: about 60 MB
BLOCK = 512  # patches a matrix product: its operands stay in a core's cache


class RefinerMatrices(nn.Module):
    """The selection of a `PatchRefiner`, and its convolutions as matrices, in evaluation mode.

    refiner: stays as it is. convs: its `folded_convolutions`, whose weights are copied.
    """

    first: Tensor
    first_rgb: Tensor
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor
    third: Tensor
    third_rgb: Tensor
    third_bias: Tensor
    fourth: Tensor
    fourth_bias: Tensor
    halved: Tensor
    opened: Tensor

    def __init__(self, refiner: PatchRefiner, convs: list[nn.Conv2d]):
        super().__init__()
        self.select = copy.deepcopy(refiner.select).eval()
        self.kernel_size = refiner.kernel_size
        # Two 3x3 convolutions a step reach one cell beyond the patch, 1x1 none.
        ring = self.ring = refiner.kernel_size // 2
        one, two, three, four = convs
        side = 2 + 2 * ring  # half-size pixels that one cell's conv1, and one patch's conv3, see
        self.side = side
        # conv1: a cell's half-size window -> its 2x2 pixels.
        first, first_rgb = one.weight[:, :36], one.weight[:, 36:]
        self.keep("first", matrix(impulses(side, side, 37), in_base_order(first)))
        self.keep("first_rgb", matrix(impulses(side, side, 6), first_rgb))
        self.keep("first_bias", bias_of(one).repeat(4))
        # conv2: rows of a patch's half-size window -> one row of side pixels.
        self.keep("second", matrix(impulses(1 + 2 * ring, 2 + 4 * ring, 24), two.weight))
        self.keep("second_bias", bias_of(two).repeat(side))
        # conv3: half-size rows, upsampled, and the pictures' pixels -> two full-size rows.
        up = F.interpolate(impulses(1 + ring, side, 16), scale_factor=2.0, mode="nearest")
        self.keep("third", matrix(up, three.weight[:, :16]))
        self.keep("third_rgb", matrix(full_impulses(1 + ring, side), three.weight[:, 16:]))
        self.keep("third_bias", bias_of(three).repeat(2 * (4 + 2 * ring)))
        # conv4: the whole window -> a 4x4 patch, channel by channel.
        whole = impulses(4 + 2 * ring, 4 + 2 * ring, 12)
        self.keep("fourth", F.conv2d(whole.to(four.weight), four.weight).flatten(1))
        self.keep("fourth_bias", bias_of(four).repeat_interleave(16))
        for name, value in zip(("halved", "opened"), half_size_of_cells(), strict=True):
            self.keep(name, value)

    def keep(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value.detach().clone(), persistent=False)


class SparseRefiner(RefinerMatrices):
    """What a `PatchRefiner` computes in evaluation mode, for pictures that need no gradient.

    Its crop and its replace have no part in this, its select has. Cost and memory follow the number
    of patches, up to that of convolving the picture strip by strip (`bgm.model.strips`).
    """

    def __init__(self, refiner: PatchRefiner):
        convs = folded_convolutions(refiner)
        super().__init__(refiner, convs)
        weight = convs[0].weight
        convs[0].weight = nn.Parameter(
            torch.cat([in_base_order(weight[:, :36]), weight[:, 36:]], 1), requires_grad=False
        )
        self.strip = StripRefiner(convs)

    @torch.no_grad()
    def forward(
        self,
        src: Tensor,
        bgr: Tensor | Cells,
        coarse: CoarseMaps,
        err: Tensor,
        pha: Tensor,
        fgr: Tensor,
    ) -> Tensor:
        """Write refined patches into pha (B, 1, H, W) and fgr (B, 3, H, W); return ref.

        src (B, 3, H, W); bgr the same, or its cells; err (B, 1, Hc, Wc), coarse's own. pha, and
        fgr as a colour, are written clamped to [0, 1]. ref (B, 1, H/4, W/4): 1 where a patch was
        refined.
        """
        H, W = src.shape[2], src.shape[3]
        small = [H // 4, W // 4]
        ref = self.select(err if list(err.shape[2:]) == small else resize(err, small)).ref
        grid = CellGrid(src, coarse)
        chosen = grid.tall(ref)
        for b, top, bottom in strips(ref):
            answer = self.strip(grid, src, bgr, coarse, b, top, bottom)
            wanted = repeat_pixels(ref[b : b + 1, :, top:bottom], list(answer.shape[2:])) > 0
            shot, pha_of, fgr_of = (x[b : b + 1, :, 4 * top : 4 * bottom] for x in (src, pha, fgr))
            write_where(pha_of, answer[:, :1], wanted)
            write_where(fgr_of, answer[:, 1:] + shot, wanted)
            first = b * (grid.h + 2 * grid.MARGIN) + grid.MARGIN
            chosen[first + top : first + bottom] = False
        for top, bottom in bands(chosen.sum(1)):
            rows = F.pad(chosen[top:bottom], (0, 0, grid.MARGIN, grid.MARGIN))
            self.refine(rows, top - grid.MARGIN, grid, src, bgr, coarse, pha, fgr)
        return ref

    def refine(
        self,
        own: Tensor,
        top: int,
        grid: CellGrid,
        src: Tensor,
        bgr: Tensor | Cells,
        coarse: CoarseMaps,
        pha: Tensor,
        fgr: Tensor,
    ) -> None:
        """Refine the patches of own (R, w + 4), rows of the tall grid from `top` on."""
        near = dilate(own) if self.ring else own  # cells whose conv1 is needed
        far = dilate(near) if self.ring else own  # cells whose pixels are needed
        far_at, near_at, own_at = (x.flatten().nonzero()[:, 0] for x in (far, near, own))
        places = grid.place(far_at, top)
        half = grid.half_size(coarse, *places)
        rgb = torch.cat([grid.cells(src, *places), grid.cells(bgr, *places)], 1)
        halved = (rgb @ self.halved).view(-1, 6)
        opened = (rgb @ self.opened).view(-1, 24)
        far_number, near_number = numbered(far), numbered(near)
        features = self.on_cells(half, halved, far_number, near_at, grid)
        answer = self.on_patches(features, opened, far_number, near_number, own_at, grid)
        shot = rgb[:, :48].index_select(0, far_number[own_at]).view(-1, 3, 4, 4)
        places = grid.place(own_at, top)
        as_cells(pha).index_put_(places, answer[:, :1].clamp(0, 1))
        as_cells(fgr).index_put_(places, (answer[:, 1:] + shot).clamp(0, 1))

    def on_cells(
        self, half: Tensor, halved: Tensor, number: Tensor, at: Tensor, grid: CellGrid
    ) -> Tensor:
        """conv1 on the cells at `at`: (2 * cells, 48), rows of 2 half-size pixels of 24 channels.

        half (., 37) and halved (., 6): half-size pixels, four for each numbered cell.
        """
        found = half.new_empty(len(at), 96)
        step, pixel = half_pixels_around(self.ring, grid.wide, at.device)
        for i in range(0, len(at), 4 * BLOCK):
            cells = at[i : i + 4 * BLOCK, None]
            rows = (number[cells + step] * 4 + pixel).flatten()
            x = half.index_select(0, rows).view(len(cells), -1)
            y = halved.index_select(0, rows).view(len(cells), -1)
            x = torch.addmm(torch.addmm(self.first_bias, x, self.first), y, self.first_rgb)
            found[i : i + 4 * BLOCK] = x.relu()
        return found.view(-1, 48)

    def on_patches(
        self,
        features: Tensor,
        opened: Tensor,
        far_number: Tensor,
        near_number: Tensor,
        at: Tensor,
        grid: CellGrid,
    ) -> Tensor:
        """conv2, conv3, conv4 on the patches at `at`: (P, 4, 4, 4), pha and the residual fgr."""
        side, found = self.side, features.new_empty(len(at), 64)
        step, pixel = half_pixels_around(self.ring, grid.wide, at.device)
        row_step, row = half_rows_around(self.ring, grid.wide, at.device)
        for i in range(0, len(at), BLOCK):
            cells = at[i : i + BLOCK, None]
            rows = (near_number[cells + row_step] * 2 + row).flatten()
            x = features.index_select(0, rows).view(len(cells), -1)
            x = sliding(x, self.second, side, 2 + 4 * self.ring, self.second_bias)
            rows = (far_number[cells + step] * 4 + pixel).flatten()
            y = opened.index_select(0, rows).view(len(cells), -1)
            y = sliding(y, self.third_rgb, 2 + self.ring, side, self.third_bias)
            x = (sliding(x.relu(), self.third, 2 + self.ring, side) + y).relu()
            found[i : i + BLOCK] = torch.addmm(self.fourth_bias, x, self.fourth)
        return found.view(-1, 4, 4, 4)


def folded_convolutions(refiner: PatchRefiner) -> list[nn.Conv2d]:
    """Copies of a refiner's four convolutions, with its BatchNorm folded into them."""
    refiner = copy.deepcopy(refiner).eval()
    pairs = ((refiner.conv1, refiner.bn1), (refiner.conv2, refiner.bn2))
    return [
        fuse_conv_bn_eval(conv, bn) if isinstance(bn, nn.BatchNorm2d) else conv
        for conv, bn in (*pairs, (refiner.conv3, refiner.bn3), (refiner.conv4, None))
    ]


def write_where(picture: Tensor, values: Tensor, wanted: Tensor) -> None:
    """Write values, clamped to [0, 1], into picture (a view) where wanted, all (1, C, h, w)."""
    picture.copy_(torch.where(wanted, values.clamp(0, 1), picture))


def bands(counts: Tensor) -> Iterator[tuple[int, int]]:
    """First and last row (exclusive) of bands that hold at most CHUNK, or are a single row."""
    top = held = 0
    for row, count in enumerate(counts.tolist()):
        if held and held + count > CHUNK:
            yield top, row
            held = 0
        if held == 0:
            top = row
        held += count
    if held:
        yield top, len(counts)


def sliding(x: Tensor, weight: Tensor, count: int, rows: int, bias: Tensor | None = None) -> Tensor:
    """The convolution of a window (P, rows * row) by rows: (P, count * out).

    weight (n * row, out) makes one piece of output out of n rows; piece r starts at row r.
    """
    row, span = x.shape[1] // rows, weight.shape[0]
    windows = [x[:, r * row : r * row + span] for r in range(count)]
    if bias is None:
        return torch.cat([torch.mm(w, weight) for w in windows], 1)
    return torch.cat([torch.addmm(bias, w, weight) for w in windows], 1)


def bias_of(conv: nn.Conv2d) -> Tensor:
    """The bias of a convolution that has one."""
    assert conv.bias is not None
    return conv.bias


def in_base_order(weight: Tensor) -> Tensor:
    """Weights over hid, pha, fgr -> over the base network's pha, fgr, err (0), hid."""
    hid, pha, fgr = weight[:, :32], weight[:, 32:33], weight[:, 33:36]
    return torch.cat([pha, fgr, torch.zeros_like(pha), hid], 1)


def full_impulses(h: int, w: int) -> Tensor:
    """(h * w * 24, 6, 2h, 2w): the same at full size, numbered by half-size pixels."""
    x = torch.eye(h * w * 24).view(-1, h, w, 6, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return x.reshape(-1, 6, 2 * h, 2 * w)


def half_size_of_cells() -> tuple[Tensor, Tensor]:
    """Matrices from a cell's 6 x 4 x 4 pixels to its 2x2 half-size ones: means, and all in order.

    (96, 4 * 6): bilinear halving is the mean of 2x2. (96, 4 * 24): (channel, 2, 2) of each.
    """
    n = torch.arange(96)
    c, y, x = n // 16, n // 4 % 4, n % 4
    pixel = y // 2 * 2 + x // 2
    halved, opened = torch.zeros(96, 4, 6), torch.zeros(96, 4, 24)
    halved[n, pixel, c] = 0.25
    opened[n, pixel, c * 4 + y % 2 * 2 + x % 2] = 1.0
    return halved.flatten(1), opened.flatten(1)
