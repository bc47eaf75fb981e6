"""A copy of a network that is ready to be written: patch methods swapped, BatchNorm folded."""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def prepare_network(
    net: nn.Module,
    crop: nn.Module | None,
    replace: nn.Module | None,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """A folded copy of net in eval mode with crop and replace in its refiner; net stays as it is.

    None keeps the network's own method. A base network has no refiner and nothing to swap. dtype:
    of the weights, after folding in float32, and so of all pictures that go in and come out.
    """
    copied = fold_batch_norm(copy_to_cpu(net)).to(dtype)
    refiner = refiner_of(copied)
    if refiner is not None:
        refiner.crop = crop or refiner.crop
        refiner.replace = replace or refiner.replace
    return copied


def copy_to_cpu(net: nn.Module, select: nn.Module | None = None) -> nn.Module:
    """A float32 copy of net on the CPU in eval mode, with another selection if one is given."""
    copied = copy.deepcopy(net).cpu().float()
    refiner = refiner_of(copied)
    if refiner is not None and select is not None:
        refiner.select = select
    return copied.eval()


def refiner_of(net: nn.Module) -> Any:
    """The part of net that has patch methods; None in a base network."""
    return getattr(net, "refiner", None)


def fold_batch_norm(net: nn.Module) -> nn.Module:
    """net (changed, in eval mode) with each BatchNorm folded into the convolution before it.

    Pairs are neighbours in a Sequential and `convN`, `bnN` elsewhere, torchvision's and our names;
    a BatchNorm of another name stays, which is slower and as right. torch.export cannot tell a
    BatchNorm on a data-dependent number of patches from one on none; without it there is no doubt.
    """
    for parent in net.modules():
        children = dict(parent.named_children())
        following = dict(zip(children, list(children)[1:], strict=False))
        for name, child in children.items():
            in_order = isinstance(parent, nn.Sequential)
            norm = following.get(name) if in_order else name.replace("conv", "bn")
            batch_norm = children.get(norm) if norm else None
            if norm and isinstance(child, nn.Conv2d) and isinstance(batch_norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(child, batch_norm))
                setattr(parent, norm, nn.Identity())
    return net
