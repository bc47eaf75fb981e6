"""The geometry of refinement: which 4x4 patches, how to cut their windows, how to put them back.

Every method is a parameterless module, so that it scripts, traces, exports and swaps on a trained
network without touching its weights. All crops give the same picture, and so do all replaces.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from bgm.errors import check_at_least


class Patches(NamedTuple):
    """Selected patches of 4x4 pixels."""

    index: Tensor  # type: ignore[assignment] # (P, 3) int64: picture b, patch row y, column x
    keep: Tensor  # (P,) bool: refined value is written; False: runs, but the coarse value stays
    ref: Tensor  # (B, 1, H/4, W/4) in {0, 1}: kept patches


class Sampling(nn.Module):
    """The sample_pixels // 16 patches of largest err in each picture, never where err == 0.

    Evaluation runs exactly k = min(sample_pixels // 16, patches), so that shapes do not depend on
    data. Training runs only patches with err > 0 (BatchNorm must not see others) plus the top one
    of each picture: never none, so every parameter has a gradient on every rank. training_pixels:
    takes the place of sample_pixels there, where pictures are smaller; None: as many. Raises
    BadInput for less than a patch.
    """

    def __init__(self, sample_pixels: int = 80_000, training_pixels: int | None = None):
        super().__init__()
        training_pixels = sample_pixels if training_pixels is None else training_pixels
        # A patch is 16 pixels.
        check_at_least("sampling", 16, sample_pixels=sample_pixels, training_pixels=training_pixels)
        self.sample_pixels, self.training_pixels = int(sample_pixels), int(training_pixels)

    def forward(self, err: Tensor) -> Patches:
        """Choose patches by their predicted error, err (B, 1, H/4, W/4) >= 0."""
        B, _, h, w = err.shape
        pixels = self.training_pixels if self.training else self.sample_pixels
        k = min(pixels // 16, h * w)
        top, flat = err.flatten(1).topk(k, dim=1)  # (B, k), sorted: the top patch is column 0
        keep = top > 0
        ref = torch.zeros_like(err).flatten(1).scatter(1, flat, keep.to(err.dtype))
        b = torch.arange(B, device=err.device)[:, None].expand(B, k)
        y = flat // w
        index = torch.stack([b, y, flat - y * w], dim=2)  # (B, k, 3); no %: ONNX has none on SymInt
        if self.training:
            run = keep | (torch.arange(k, device=err.device) == 0)
            return Patches(index[run], keep[run], ref.view(B, 1, h, w))
        return Patches(index.flatten(0, 1), keep.flatten(), ref.view(B, 1, h, w))


class Thresholding(nn.Module):
    """Every patch with err > threshold; training adds the top patch of each picture."""

    def __init__(self, threshold: float = 0.1):
        super().__init__()
        self.threshold = float(threshold)

    def forward(self, err: Tensor) -> Patches:
        """Choose patches by their predicted error, err (B, 1, H/4, W/4) >= 0."""
        chosen = err > self.threshold
        run = chosen
        if self.training:
            best = err.flatten(1).argmax(1, keepdim=True)
            run = chosen | (torch.zeros_like(err).flatten(1).scatter(1, best, 1.0).view_as(err) > 0)
        index = run[:, 0].nonzero()
        keep = chosen[:, 0][index[:, 0], index[:, 1], index[:, 2]]
        return Patches(index, keep, chosen.to(err.dtype))


class Full(nn.Module):
    """Everywhere: bit for bit what selecting every patch computes, in whatever way."""

    def forward(self, err: Tensor) -> Patches:
        """Choose patches by their predicted error, err (B, 1, H/4, W/4) >= 0."""
        B, _, h, w = err.shape
        flat = torch.arange(B * h * w, device=err.device)  # not nonzero(): its shape hangs on data
        row = flat // w
        b = row // h
        index = torch.stack([b, row - b * h, flat - row * w], dim=1)
        return Patches(index, torch.ones_like(flat, dtype=torch.bool), torch.ones_like(err))


class UnfoldCrop(nn.Module):
    """Strided view and advanced indexing: the fastest in PyTorch and TorchScript."""

    def forward(self, x: Tensor, index: Tensor, size: int, pad: int) -> Tensor:
        """Cut windows around patches: see `GatherCrop.forward`."""
        x = F.pad(x, [pad, pad, pad, pad])
        window = size + 2 * pad
        windows = x.unfold(2, window, size).unfold(3, window, size)  # (B, C, h, w, window, window)
        return windows.permute(0, 2, 3, 1, 4, 5)[index[:, 0], index[:, 1], index[:, 2]]


class RoiAlignCrop(nn.Module):
    """torchvision's roi_align at exact pixels: the crop that most ONNX runtimes understand."""

    def forward(self, x: Tensor, index: Tensor, size: int, pad: int) -> Tensor:
        """Cut windows around patches: see `GatherCrop.forward`."""
        x = F.pad(x, [pad, pad, pad, pad])
        window = size + 2 * pad
        # Half-precision boxes are half a pixel off beyond x = 1024, and the op wants one type.
        # None of these operations is one that autocast would lower, and TorchScript refuses an
        # autocast block whose device is not a constant.
        corner = index[:, [2, 1]].float() * size - 0.5
        boxes = torch.cat([index[:, :1].float(), corner, corner + window], dim=1)
        out = roi_align(x.float(), boxes, [window, window], 1.0, 1, False)
        return out.to(x.dtype)


class GatherCrop(nn.Module):
    """Pixel indices into the flat picture: slowest in eager PyTorch, most portable."""

    def forward(self, x: Tensor, index: Tensor, size: int, pad: int) -> Tensor:
        """Cut windows around patches.

        x: (B, C, H, W); index: (P, 3) rows (b, y, x) on the grid of size x size cells; the window
        is the cell and pad pixels around it, zero outside. Returns (P, C, size + 2 pad, the same).
        """
        x = F.pad(x, [pad, pad, pad, pad])
        return x.flatten()[pixel_index(x, index, size, size + 2 * pad)]


class ScatterNdReplace(nn.Module):
    """Whole patches written through the (B, H/4, W/4, C, 4, 4) view: fastest in PyTorch."""

    def forward(self, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        """Put patches into a new picture: see `ScatterElementReplace.forward`."""
        B, C, H, W = x.shape
        cells = x.view(B, C, H // 4, 4, W // 4, 4).permute(0, 2, 4, 1, 3, 5)
        cells = cells.index_put((index[:, 0], index[:, 1], index[:, 2]), y)
        return cells.permute(0, 3, 1, 4, 2, 5).reshape(B, C, H, W)


class ScatterElementReplace(nn.Module):
    """Pixel by pixel into the flat picture: the replace that most ONNX runtimes understand."""

    def forward(self, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        """Put patches into a new picture.

        x: (B, C, H, W); y: (P, C, 4, 4); index: (P, 3) rows (b, y, x) on the grid of 4x4 cells.
        Returns x with those cells replaced; x itself is unchanged.
        """
        flat = pixel_index(x, index, 4, 4).flatten()
        return x.flatten().scatter(0, flat, y.flatten()).view(x.shape)


def pixel_index(x: Tensor, index: Tensor, size: int, window: int) -> Tensor:
    """Flat positions b*C*H*W + c*H*W + y*W + x of (P, C, window, window) pixels in x (B, C, H, W).

    The reference computes b*W*H here, which is wrong for every picture but the first.
    """
    C, H, W = x.shape[1], x.shape[2], x.shape[3]
    c = torch.arange(C, device=x.device).view(1, C, 1, 1)
    offset = torch.arange(window, device=x.device)
    b = index[:, 0].view(-1, 1, 1, 1)
    row = (index[:, 1:2] * size + offset).view(-1, 1, window, 1)
    column = (index[:, 2:3] * size + offset).view(-1, 1, 1, window)
    return ((b * C + c) * H + row) * W + column


def refiner_of(net: nn.Module) -> Any:
    """The part of net that has patch methods, a `PatchRefiner`; None in a base network."""
    return getattr(net, "refiner", None)


def swap_patches(
    net: nn.Module, crop: nn.Module | None, replace: nn.Module, select: nn.Module | None = None
) -> nn.Module:
    """Change the patch methods of a refined network: same weights, other geometry. Returns net.

    Raises ValueError for a network without a refiner.
    """
    refiner = refiner_of(net)
    if refiner is None:
        raise ValueError(
            f"{type(net).__name__} has no refiner whose patch methods could be swapped"
        )
    refiner.crop, refiner.replace = crop, replace
    if select is not None:
        refiner.select = select.train(net.training)
    return net
