"""The kinds of output that are written of a matte, each as a picture."""

from collections.abc import Iterable

import torch
from torch import Tensor

from bgm.colour import SRGB, Encoding, convert, to_display
from bgm.errors import BadInput
from bgm.infer.any_size import Matte
from bgm.infer.background import Background
from bgm.ops import composite

OUTPUTS = ("com", "pha", "fgr", "err", "ref")


def check_outputs(outputs: Iterable[str]) -> tuple[str, ...]:
    """The kinds of output, each once; raises BadInput for none and for unknown ones."""
    outputs = (outputs,) if isinstance(outputs, str) else tuple(dict.fromkeys(outputs))
    unknown = [str(kind) for kind in outputs if kind not in OUTPUTS]
    if unknown or not outputs:
        found = ", ".join(unknown) or "none"
        raise BadInput(f"outputs: found {found}, expected some of {', '.join(OUTPUTS)}")
    return outputs


def for_screen(matte: Matte, encoding: Encoding) -> Matte:
    """The matte with its foreground as a standard screen shows it, in sRGB.

    Before it is laid over a background or multiplied by alpha: mapping HLG or PQ to a screen is no
    linear thing, so that edges would get colours of their own afterwards.
    """
    return matte._replace(fgr=to_display(matte.fgr, encoding))


def render(
    kind: str,
    matte: Matte,
    background: Background | None = None,
    encoding: Encoding = SRGB,
    *,
    levels: int | None = 255,
) -> Tensor:
    """One output of one picture as float (C, H, W), C = 1, 3 or 4 (RGBA).

    matte.fgr is in `encoding`, and so are the colours that come back; the background is sRGB. `com`
    without background has straight alpha, and no colour where alpha is 0 of `levels`: what was
    behind the subject must not come back when somebody drops the alpha channel.
    """
    pha, fgr = matte.pha[0], matte.fgr[0]
    match kind:
        case "com" if background is not None:
            H, W = pha.shape[-2:]
            behind = convert(background(H, W).to(pha.device), SRGB, encoding)
            return composite(fgr.float(), pha.float(), behind)
        case "com":
            alpha = pha.float()
            return torch.cat([fgr.float() * (alpha > (0.5 / levels if levels else 0)), alpha])
        case "pha":
            return pha.float()
        case "fgr":
            return fgr.float()
        case "err":
            return matte.err()[0].float()
        case "ref":
            return matte.ref()[0].float()
    raise BadInput(f"outputs: found {kind}, expected some of {', '.join(OUTPUTS)}")
