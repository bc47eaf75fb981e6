"""Training in less memory: activations are not kept but computed again for the gradient."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def recompute(parts: list[nn.Module]) -> None:
    """Let these modules keep only their inputs while they train; keys and results stay.

    Changes the modules. Their parameters' gradients are those of the same operations on the same
    numbers, dropout included. BatchNorm's running statistics move once, in the first pass. Costs
    another forward pass of the parts, for the memory of all but one of them.
    """
    for part in parts:
        part.forward = partial(checkpointed, part, part.forward)


def checkpointed(part: nn.Module, forward: Callable, *inputs: Any) -> Any:
    """forward of a part: through torch's checkpoint while it trains, else as it was."""
    if not part.training:
        return forward(*inputs)
    return checkpoint(
        forward,
        *inputs,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), unmoved_statistics(part)),
    )


@contextmanager
def unmoved_statistics(part: nn.Module) -> Iterator[None]:
    # The layers move copies: without any, they would keep fewer tensors than in the first pass.
    layers = [m for m in part.modules() if isinstance(m, BATCH_NORMS)]
    own = [dict(layer.named_buffers(recurse=False)) for layer in layers]
    try:
        for layer, buffers in zip(layers, own, strict=True):
            for name, buffer in buffers.items():
                setattr(layer, name, buffer.clone())
        yield
    finally:
        for layer, buffers in zip(layers, own, strict=True):
            for name, buffer in buffers.items():
                setattr(layer, name, buffer)
