"""A copy of a network that is ready to be written: patch methods swapped, BatchNorm folded."""

import copy
from typing import Any

import torch
from torch import nn

from bgm.export.cells_refiner import CellsRefiner, SharedCells
from bgm.export.whole_refiner import WholePicture, WholeRefiner
from bgm.model import UnfoldCrop
from bgm.model.optimize import folded
from bgm.model.patches import refiner_of


def prepare_network(
    net: nn.Module,
    crop: nn.Module | None,
    replace: nn.Module | None,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """A folded copy of net in eval mode with crop and replace in its refiner; net stays as it is.

    None keeps the network's own method; one that has no crop gets unfold. `SharedCells` for a crop
    makes the refiner a `CellsRefiner`, `WholePicture` a `WholeRefiner`. A base network has no
    refiner and nothing to swap. dtype: of the weights, after folding in float32, and so of all
    pictures that go in and come out.
    """
    copied: Any = copy_to_cpu(net)
    if isinstance(crop, SharedCells) and refiner_of(copied) is not None:
        copied.refiner = CellsRefiner(copied.refiner).eval()
        return folded(copied).to(dtype)
    if isinstance(crop, WholePicture) and refiner_of(copied) is not None:
        copied.refiner = WholeRefiner(copied.refiner).eval()
        return folded(copied).to(dtype)
    copied = folded(copied).to(dtype)
    refiner = refiner_of(copied)
    if refiner is not None:
        refiner.crop = crop or refiner.crop or UnfoldCrop()
        refiner.replace = replace or refiner.replace
    return copied


def copy_to_cpu(net: nn.Module, select: nn.Module | None = None) -> nn.Module:
    """A float32 copy of net on the CPU in eval mode, with another selection if one is given."""
    copied = copy.deepcopy(net).cpu().float()
    refiner = refiner_of(copied)
    if refiner is not None and select is not None:
        refiner.select = select
    return copied.eval()
