"""The kinds of output that are written of a matte, each as a picture of 8 bits."""

from collections.abc import Iterable

import torch
from torch import Tensor

from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.background import Background
from bgm.ops import composite
from bgm.pictures import to_uint8

OUTPUTS = ("com", "pha", "fgr", "err", "ref")


def check_outputs(outputs: Iterable[str]) -> tuple[str, ...]:
    """The kinds of output, each once; raises BadInput for none and for unknown ones."""
    outputs = (outputs,) if isinstance(outputs, str) else tuple(dict.fromkeys(outputs))
    unknown = [str(kind) for kind in outputs if kind not in OUTPUTS]
    if unknown or not outputs:
        found = ", ".join(unknown) or "none"
        raise BadInput(f"outputs: found {found}, expected some of {', '.join(OUTPUTS)}")
    return outputs


def render(kind: str, matte: Matte, background: Background | None = None) -> Tensor:
    """One output of one picture as uint8 (C, H, W) in 0..255, C = 1, 3 or 4 (RGBA).

    `com` without background has straight alpha, and no colour where alpha is 0: what was behind the
    subject must not come back when somebody drops the alpha channel.
    """
    pha, fgr = matte.pha[0], matte.fgr[0]
    match kind:
        case "com" if background is not None:
            H, W = pha.shape[-2:]
            x = composite(fgr.float(), pha.float(), background(H, W).to(pha.device))
        case "com":
            alpha = to_uint8(pha)
            x = torch.cat([to_uint8(fgr) * (alpha > 0), alpha])
        case "pha":
            x = pha
        case "fgr":
            x = fgr
        case "err":
            x = matte.err()[0]
        case "ref":
            x = matte.ref()[0]
    return x if x.dtype == torch.uint8 else to_uint8(x)
