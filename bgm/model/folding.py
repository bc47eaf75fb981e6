"""BatchNorm folded into the convolution before it: the same picture with fewer operations."""

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(net: nn.Module) -> nn.Module:
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
