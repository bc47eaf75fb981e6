"""Training in less memory: activations are not kept but computed again for the gradient."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
        part.forward = Checkpointed(part, part.forward)


class Checkpointed:
    """forward of a part: through torch's checkpoint while it trains, else as it was."""

    def __init__(self, part: nn.Module, forward: Callable) -> None:
        self.part, self.forward = part, forward

    def __call__(self, *inputs: Any) -> Any:
        if not self.part.training:
            return self.forward(*inputs)
        return checkpoint(self.forward, *inputs, use_reentrant=False, context_fn=self.passes)

    def passes(self) -> tuple[AbstractContextManager, AbstractContextManager]:
        """What surrounds the first pass, and the second one."""
        return nullcontext(), unmoved_statistics(self.part)


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
