"""The foreground's colour in the encoding of the shot, from what the network says of it."""

from torch import Tensor

from bgm.colour import from_display
from bgm.infer.any_size import Matte
from bgm.infer.frame import Frame, Shot


def network_foreground(frame: Frame, matte: Matte) -> Matte:
    """The matte with the network's foreground in the shot's own encoding."""
    return matte._replace(fgr=as_encoded(frame.src, matte.fgr))


def as_encoded(src: Shot, fgr: Tensor) -> Tensor:
    """A foreground (1, 3, H, W) as shown on a screen, in the encoding of its shot.

    What the network changes of the shot is added to the shot's own values: where it changes
    nothing, they come back to the last bit, values above 1 too.
    """
    if src.shown_as_stored:
        return fgr
    display = src.display[None].to(fgr.device)
    change = from_display(fgr, src.encoding) - from_display(display, src.encoding)
    return src.values[None].to(fgr.device) + change
