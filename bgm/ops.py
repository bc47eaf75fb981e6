"""The few picture operations that every room shares."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from bgm.extras import extra_named


def composite(fgr: Tensor, pha: Tensor, bgr: Tensor) -> Tensor:
    """Lay fgr over bgr: com = fgr * pha + bgr * (1 - pha); straight alpha, all in [0, 1]."""
    return fgr * pha + bgr * (1 - pha)


def resize(x: Tensor, size: list[int]) -> Tensor:
    """Bilinear resize of (B, C, h, w) to size = [H, W], align_corners=False, no antialias."""
    if torch.jit.is_scripting():  # F.interpolate brings operators that older libtorches lack
        return torch.ops.aten.upsample_bilinear2d(x, size, False, None, None)
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def repeat_pixels(x: Tensor, size: list[int]) -> Tensor:
    """Nearest resize of (B, C, h, w) to size = [H, W]."""
    if torch.jit.is_scripting():
        return torch.ops.aten.upsample_nearest2d(x, size, None, None)
    return F.interpolate(x, size=size, mode="nearest")


def clamp01(x: Tensor, leak: float = 0.0) -> Tensor:
    """Clamp to [0, 1]; with leak > 0 the gradient outside is leak instead of 0, the value is equal.

    A hard clamp gives a dead output (err below 0 everywhere in many seeds) no way back.
    """
    clamped = x.clamp(0.0, 1.0)
    if leak == 0.0:
        return clamped
    beyond = leak * (x - clamped)
    return clamped + (beyond - beyond.detach())


def sobel(x: Tensor) -> Tensor:
    """Sobel gradient magnitude of (B, C, H, W): normalised kernel, eps 1e-6, in float32."""
    with extra_named():
        from kornia.filters import sobel as kornia_sobel  # kornia takes a second to import

    with torch.autocast(x.device.type, enabled=False):
        return kornia_sobel(x.float())


def pad_to(x: Tensor, multiple: int = 4, smallest: int = 1) -> Tensor:
    """Replicate right and bottom of (B, C, H, W) to multiples, and to at least `smallest` px.

    Returns x itself where nothing is missing.
    """
    H, W = x.shape[-2:]
    Hp, Wp = (-(-max(side, smallest) // multiple) * multiple for side in (H, W))
    if (Hp, Wp) == (H, W):
        return x
    return F.pad(x, (0, Wp - W, 0, Hp - H), mode="replicate")


def crop_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """Undo `pad_to`: the top left size = (H, W) of (..., H', W')."""
    return x[..., : size[0], : size[1]]


def bilinear_taps(
    size: int, source: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """How `resize` makes `size` pixels of `source` ones along an axis: low, high, share.

    Pixel i is (1 - share[i]) * x[low[i]] + share[i] * x[high[i]]. Positions are rounded as
    F.interpolate rounds them for pictures of dtype, once: at 4K another rounding moves a pixel's
    value by 5e-5. share is float64 for a float64 picture, float32 for others.
    """
    rounded = torch.float64 if dtype == torch.float64 else torch.float32
    scale = torch.tensor(source / size, dtype=rounded).double()
    at = ((torch.arange(size, dtype=torch.float64) + 0.5) * scale - 0.5).to(rounded).clamp(min=0)
    low = at.long().clamp(max=source - 1)
    return low, (low + 1).clamp(max=source - 1), at - low


def shrink(x: Tensor, size: list[int]) -> Tensor:
    """`resize` to a smaller size that looks at nothing but the pixels it needs.

    Four pixels make one, whatever the factor; F.interpolate takes 12 times as long at 4K and 1/8.
    """
    for axis in (2, 3):
        low, high, share = bilinear_taps(size[axis - 2], x.shape[axis], x.dtype)
        share = (share[:, None] if axis == 2 else share).to(x)
        x = torch.lerp(select_along(x, axis, low), select_along(x, axis, high), share)
    return x


def select_along(x: Tensor, axis: int, index: Tensor) -> Tensor:
    """x.index_select(axis, index), a view where the index (on the CPU) goes in equal steps."""
    first, last = int(index[0]), int(index[-1])
    step = max((last - first) // max(len(index) - 1, 1), 1)
    if torch.equal(index, torch.arange(first, first + step * len(index), step)):
        return x[(slice(None),) * axis + (slice(first, last + 1, step),)]
    return x.index_select(axis, index.to(x.device))
