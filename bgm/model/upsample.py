"""The coarse result at full size, where nothing is refined: written once, straight into place."""

import torch
from torch import Tensor

from bgm.ops import bilinear_taps, resize

ROWS = 64  # full-size rows at a time: they stay in a core's cache until they are clamped


def upsampled(pha: Tensor, residual: Tensor, src: Tensor) -> tuple[Tensor, Tensor]:
    """Bilinear alpha (B, 1, H, W) and colour src + residual (B, 3, H, W), clamped to [0, 1].

    pha (B, 1, Hc, Wc) and residual (B, 3, Hc, Wc), coarse; src (B, 3, H, W). Without gradients.
    """
    B, _, H, W = src.shape
    coarse = torch.cat([pha, residual], 1)
    if src.device.type != "cpu":
        full = resize(coarse, [H, W])
        return full[:, :1].clamp(0, 1), (full[:, 1:] + src).clamp(0, 1)
    # On a CPU fresh memory is dear: interpolate along rows only, and let a matrix product of a
    # handful of rows do the columns, added to src, in the output itself.
    wide = resize(coarse, [coarse.shape[2], W])
    low, high, share = bilinear_taps(H, coarse.shape[2])
    out = src.new_empty(B, 1, H, W), src.new_empty(B, 3, H, W)
    for top in range(0, H, ROWS):
        rows = slice(top, min(top + ROWS, H))
        first, last = int(low[rows][0]), int(high[rows][-1]) + 1
        weights = torch.zeros(len(low[rows]), last - first)
        weights.scatter_add_(1, low[rows, None] - first, 1 - share[rows, None])
        weights.scatter_add_(1, high[rows, None] - first, share[rows, None])
        weights = weights.to(src.dtype)
        for b in range(B):
            torch.mm(weights, wide[b, 0, first:last], out=out[0][b, 0, rows])
            for c in range(3):
                x = wide[b, 1 + c, first:last]
                torch.addmm(src[b, c, rows], weights, x, out=out[1][b, c, rows])
            out[0][b, :, rows].clamp_(0, 1)
            out[1][b, :, rows].clamp_(0, 1)
    return out
